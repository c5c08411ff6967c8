"""Checks an export with nothing but itself, the log's public key and what was kept before.

The tree is built anew from the leaves as they are read, in memory that grows with the logarithm of
their number, and compared with every head on the way. Pure: lines in, a verdict out.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate

from controller.audit import notes, stamps
from controller.audit.export import FORMAT, VERSION
from controller.audit.leaves import FIELDS, MAX_LEAF_BYTES
from shared.errors import BadInputError
from shared.merkle import Frontier, Head, leaf_hash
from shared.messages import cbor

MAX_LINE_BYTES = 2 * MAX_LEAF_BYTES


class RefusedError(Exception):
    """The export does not hold; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader brings: the log's keys (old ones too), heads kept earlier, and the roots of
    timestamp authorities. Without keys no signature is checked, without roots no timestamp; with
    them the newest head must be signed, and at least one head timestamped."""

    keys: Sequence[Ed25519PublicKey]
    kept: Sequence[str] = ()
    roots: Sequence[Certificate] = ()


@dataclass(slots=True)
class Findings:
    """What was read and held."""

    origin: str = ""
    leaves: int = 0
    heads: int = 0
    signed_heads: int = 0
    timestamps: int = 0
    checked_timestamps: int = 0
    kept_heads: int = 0
    newest: notes.TreeHead | None = None
    newest_note: str = ""
    newest_stamp: datetime | None = None
    stamped_size: int = 0


@dataclass(slots=True)
class _Reader:
    trust: Trust
    kept: dict[int, notes.TreeHead]
    found: Findings = field(default_factory=Findings)
    tree: Frontier = field(default_factory=Frontier)
    size: int = -1
    newest_is_signed: bool = False
    held_until: int = 0
    """The size of the newest head that held: what stands wrong comes after it."""
    ended: bool = False


def verify(lines: Iterable[bytes], trust: Trust) -> Findings:
    """What was checked, when everything holds; `RefusedError` names the first thing that does not.

    `BadInputError` when what the reader brings cannot be used.
    """
    reader = _Reader(trust, _kept_heads(trust))
    for number, line in enumerate(lines, start=1):
        record = _record(number, line)
        if reader.ended:
            raise RefusedError(f"line {number}: something stands after the end")
        if number == 1:
            _take_header(reader, record)
        else:
            _take(reader, number, record)
    if not reader.ended:
        raise RefusedError(f"the export is cut off after {reader.tree.size} leaves")
    return reader.found


def _take(reader: _Reader, number: int, record: Mapping[str, Any]) -> None:
    kinds = {"leaf": _take_leaf, "head": _take_head, "timestamp": _take_stamp, "end": _take_end}
    for kind, take in kinds.items():
        if kind in record:
            take(reader, record)
            return
    raise RefusedError(f"line {number}: neither leaf, head, timestamp nor end")


def _take_header(reader: _Reader, record: Mapping[str, Any]) -> None:
    if record.get("export") != FORMAT or record.get("version") != VERSION:
        raise RefusedError(f"line 1: not the header of a {FORMAT} export of version {VERSION}")
    reader.size = _number(record, "size")
    reader.found.origin = _string(record, "origin")
    for kept in reader.kept.values():
        if reader.size and kept.origin != reader.found.origin:
            raise RefusedError(
                f"the kept head is of the log {kept.origin}, this is {reader.found.origin}"
            )
        if kept.head.size > reader.size:
            raise RefusedError(
                f"rolled back: a head of size {kept.head.size} was kept, this log has "
                f"{reader.size} leaves"
            )


def _take_leaf(reader: _Reader, record: Mapping[str, Any]) -> None:
    index, expected = _number(record, "leaf"), reader.tree.size
    if index != expected:
        raise RefusedError(f"leaf {index} stands where leaf {expected} belongs")
    body = _bytes(record, "body", f"leaf {index}")
    hashed = leaf_hash(body)
    if hashed != _bytes(record, "hash", f"leaf {index}"):
        raise RefusedError(f"leaf {index}: its body does not give its hash")
    _check_form(index, body)
    reader.tree.append(hashed)
    reader.found.leaves = reader.tree.size
    kept = reader.kept.get(reader.tree.size)
    if kept is not None:
        if kept.head.root != reader.tree.root():
            raise RefusedError(
                f"forked: the first {kept.head.size} leaves are not those of the head that was "
                "kept at that size"
            )
        reader.found.kept_heads += 1


def _check_form(index: int, body: bytes) -> None:
    try:
        fields = cbor.expect_map(cbor.decode(body), "leaf")
        canonical = cbor.encode(fields)
    except BadInputError as error:
        raise RefusedError(f"leaf {index}: {error}") from error
    if canonical != body or fields.keys() != FIELDS:
        raise RefusedError(f"leaf {index}: not in the canonical form of a leaf")


def _take_head(reader: _Reader, record: Mapping[str, Any]) -> None:
    note = _string(record, "head")
    try:
        parsed = notes.parse(note)
    except BadInputError as error:
        raise RefusedError(f"the head after leaf {reader.tree.size - 1}: {error}") from error
    told = parsed.tree_head
    size = reader.tree.size
    if told.origin != reader.found.origin:
        raise RefusedError(f"the head of size {told.head.size} is of the log {told.origin}")
    if told.head.size != size:
        raise RefusedError(f"a head of size {told.head.size} stands after {size} leaves")
    if reader.found.newest is not None and reader.found.newest.head.size == size:
        raise RefusedError(f"two heads of size {size}")
    if told.head != Head(size, reader.tree.root()):
        raise RefusedError(
            f"the leaves do not give the root of the head of size {size}: the first leaf that "
            f"does not hold is one of {reader.held_until} to {size - 1}"
        )
    reader.newest_is_signed = _check_signature(reader, parsed)
    reader.held_until = size
    reader.found.heads += 1
    reader.found.newest, reader.found.newest_note = told, note


def _check_signature(reader: _Reader, note: notes.Note) -> bool:
    size = note.tree_head.head.size
    if not note.signatures or not reader.trust.keys:
        return False
    if not notes.signed_by(note, reader.trust.keys):
        raise RefusedError(f"the head of size {size} is not signed by the key given")
    reader.found.signed_heads += 1
    return True


def _take_stamp(reader: _Reader, record: Mapping[str, Any]) -> None:
    size, found = _number(record, "timestamp"), reader.found
    if found.newest is None or found.newest.head.size != size or reader.tree.size != size:
        raise RefusedError(f"the timestamp of size {size} does not follow its head")
    if found.stamped_size == size:
        raise RefusedError(f"two timestamps of the head of size {size}")
    found.timestamps += 1
    found.stamped_size = size
    if not reader.trust.roots:
        return
    response = _bytes(record, "response", f"the timestamp of size {size}")
    try:
        found.newest_stamp = stamps.check(response, found.newest_note, reader.trust.roots)
    except stamps.StampError as error:
        raise RefusedError(f"the timestamp of the head of size {size}: {error}") from error
    found.checked_timestamps += 1


def _take_end(reader: _Reader, record: Mapping[str, Any]) -> None:
    found = reader.found
    for name, there in (
        ("end", found.leaves),
        ("heads", found.heads),
        ("timestamps", found.timestamps),
    ):
        if _number(record, name) != there:
            told = record[name]
            raise RefusedError(f"the end tells of {told} ({name}), the export has {there}")
    if found.leaves != reader.size:
        raise RefusedError(f"{reader.size} leaves were announced, the export has {found.leaves}")
    if reader.size:
        _check_newest(reader)
    reader.ended = True


def _check_newest(reader: _Reader) -> None:
    newest = reader.found.newest
    if newest is None or newest.head.size != reader.size:
        raise RefusedError(
            f"no head covers leaves {reader.held_until} to {reader.size - 1}: the newest head is "
            f"of size {reader.held_until}"
        )
    if reader.trust.keys and not reader.newest_is_signed:
        raise RefusedError(f"the newest head, of size {reader.size}, is not signed")
    if reader.trust.roots and not reader.found.checked_timestamps:
        raise RefusedError("no head is timestamped, and roots of an authority were given")


def _kept_heads(trust: Trust) -> dict[int, notes.TreeHead]:
    kept: dict[int, notes.TreeHead] = {}
    for text in trust.kept:
        note = notes.parse(text)
        if trust.keys and not notes.signed_by(note, trust.keys):
            raise BadInputError("previous", "not signed by the key given", "a head of this log")
        size = note.tree_head.head.size
        if size in kept and kept[size].head != note.tree_head.head:
            raise RefusedError(f"forked: two heads of size {size} were kept, of different roots")
        kept[size] = note.tree_head
    return kept


def _record(number: int, line: bytes) -> Mapping[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise RefusedError(f"line {number}: longer than {MAX_LINE_BYTES} bytes")
    if not line.endswith(b"\n"):
        raise RefusedError(f"line {number}: the export is cut off within it")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"line {number}: not JSON") from error
    if not isinstance(record, dict):
        raise RefusedError(f"line {number}: not an object")
    return record


def _number(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise RefusedError(f"{name}: {value!r:.60} is not a number from 0")
    return value


def _string(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or len(value) > notes.MAX_NOTE_CHARS:
        raise RefusedError(f"{name}: not text of at most {notes.MAX_NOTE_CHARS} characters")
    return value


def _bytes(record: Mapping[str, Any], name: str, where: str) -> bytes:
    value = record.get(name)
    if not isinstance(value, str):
        raise RefusedError(f"{where}: {name} is missing")
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise RefusedError(f"{where}: {name} is not base64") from error
