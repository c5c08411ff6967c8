"""Audit logs for tests: leaves queued and numbered in a database, exports taken apart."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from controller.audit import queue_leaf
from controller.audit.export import export_lines
from controller.audit.integrator import Integrator, Signing
from controller.audit.notes import HeadSigner
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves
from tests.nodes import NOON_MS, StillClock

ORIGIN = "mine.example/audit"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))

Record = dict[str, Any]


def signing(key: Ed25519PrivateKey | None = KEY) -> Signing:
    """The signing of the tests' log."""
    return Signing(ORIGIN, None if key is None else HeadSigner(ORIGIN, key))


def integrator(
    storage: Storage, group: int = 1_000, key: Ed25519PrivateKey | None = KEY
) -> Integrator:
    """An integrator whose clock stands at noon."""
    return Integrator(storage, StillClock(), signing(key), group=group)


def queue(storage: Storage, count: int, first: int = 0) -> None:
    """Queues leaves that differ, in one transaction."""
    with storage.write() as conn:
        queue_in(conn, count, first)


def queue_in(conn: Connection, count: int, first: int = 0) -> None:
    """Queues leaves that differ, in the transaction of `conn`."""
    for number in range(first, first + count):
        queue_leaf(
            conn,
            kind="test.changed" if number % 2 else "test.made",
            actor=f"user:{number % 3}",
            subject=f"thing-{number}",
            data={"number": number},
            now_ms=NOON_MS + number,
        )


def fill(
    storage: Storage, *groups: int, first: int = 0, key: Ed25519PrivateKey | None = KEY
) -> None:
    """Queues and numbers groups of leaves, each with a head."""
    for count in groups:
        queue(storage, count, first)
        integrator(storage, key=key).round()
        first += count


class CrashError(Exception):
    """The process ends here."""


@contextmanager
def crashing(storage: Storage) -> Iterator[Connection]:
    """A transaction whose process ends before it is committed."""
    with suppress(CrashError), storage.write() as conn:
        yield conn
        raise CrashError


def bodies(storage: Storage) -> list[bytes]:
    """The numbered leaves in the order of the tree; fails unless they are numbered from 0."""
    query = (
        select(audit_leaves.c.tree_index, audit_leaves.c.body)
        .where(audit_leaves.c.tree_index.is_not(None))
        .order_by(audit_leaves.c.tree_index)
    )
    with storage.read() as conn:
        rows = conn.execute(query).all()
    assert [row.tree_index for row in rows] == list(range(len(rows)))
    return [row.body for row in rows]


def exported(storage: Storage) -> list[bytes]:
    """The export, a line each."""
    return b"".join(export_lines(storage)).splitlines(keepends=True)


def records(lines: Iterable[bytes]) -> list[Record]:
    """An export's lines, decoded."""
    return [json.loads(line) for line in b"".join(lines).splitlines()]


def lines(told: Iterable[Record]) -> list[bytes]:
    """Lines of an export, encoded."""
    return [json.dumps(record).encode() + b"\n" for record in told]


def changed_leaf(record: Record, change: Callable[[bytes], bytes]) -> Record:
    """A leaf's line with another body and the old hash."""
    body = change(base64.b64decode(record["body"]))
    return {**record, "body": base64.b64encode(body).decode()}
