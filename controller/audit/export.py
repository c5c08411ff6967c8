"""The log as a file that stands alone: JSON lines, written and read a line at a time.

The first line is the header, the last the end; between them the leaves in order, and each head
right after the leaf that completes its size, followed by its timestamp where it has one. Bytes are
base64. A leaf's line has its RFC 6962 hash beside its body so that a reader can name the leaf that
was changed; it proves nothing by itself.

    {"export": "bes-audit", "version": 1, "origin": "...", "size": 2}
    {"leaf": 0, "body": "...", "hash": "..."}
    {"leaf": 1, "body": "...", "hash": "..."}
    {"head": "bes/audit\\n2\\n...\\n"}
    {"timestamp": 2, "authority": "https://...", "response": "..."}
    {"end": 2, "heads": 1, "timestamps": 1}
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from controller.audit import notes
from controller.storage.engine import Storage
from controller.storage.tables import audit_heads, audit_leaves, audit_timestamps

FORMAT = "bes-audit"
VERSION = 1
MEDIA_TYPE = "application/x-ndjson"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class _Newest:
    size: int
    origin: str


def export_lines(storage: Storage) -> Iterator[bytes]:
    """The log up to its newest head, a page of lines at a time; an empty log has size 0.

    The log only grows, so each page is a short transaction of its own and the whole is one log.
    """
    with storage.read() as conn:
        newest = _newest(conn)
    heads = stamps = 0
    yield _line(
        {"export": FORMAT, "version": VERSION, "origin": newest.origin, "size": newest.size}
    )
    for first in range(0, newest.size, _PAGE):
        last = min(first + _PAGE, newest.size)
        with storage.read() as conn:
            lines = _page(conn, first, last)
        heads += sum("head" in line for line in lines)
        stamps += sum("timestamp" in line for line in lines)
        yield b"".join(_line(line) for line in lines)
    yield _line({"end": newest.size, "heads": heads, "timestamps": stamps})


def _newest(conn: Connection) -> _Newest:
    row = conn.execute(
        select(audit_heads.c.size, audit_heads.c.note).order_by(audit_heads.c.size.desc()).limit(1)
    ).one_or_none()
    if row is None:
        return _Newest(0, "")
    return _Newest(row.size, notes.parse(row.note).tree_head.origin)


def _page(conn: Connection, first: int, last: int) -> list[Mapping[str, Any]]:
    """Leaves [first, last) with the heads that they complete."""
    leaves = conn.execute(
        select(audit_leaves.c.tree_index, audit_leaves.c.body, audit_leaves.c.leaf_hash)
        .where(audit_leaves.c.tree_index >= first, audit_leaves.c.tree_index < last)
        .order_by(audit_leaves.c.tree_index)
    ).all()
    rows = conn.execute(
        select(audit_heads.c.size, audit_heads.c.note).where(
            audit_heads.c.size > first, audit_heads.c.size <= last
        )
    )
    heads: dict[int, str] = {row.size: row.note for row in rows}
    found = conn.execute(
        select(audit_timestamps).where(
            audit_timestamps.c.size > first, audit_timestamps.c.size <= last
        )
    )
    stamps = {row.size: row for row in found}
    lines: list[Mapping[str, Any]] = []
    for leaf in leaves:
        lines.append(
            {
                "leaf": leaf.tree_index,
                "body": _text(leaf.body),
                "hash": _text(leaf.leaf_hash),
            }
        )
        size = leaf.tree_index + 1
        if size in heads:
            lines.append({"head": heads[size]})
        if size in stamps:
            stamp = stamps[size]
            lines.append(
                {
                    "timestamp": size,
                    "authority": stamp.authority,
                    "response": _text(stamp.response),
                }
            )
    return lines


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
