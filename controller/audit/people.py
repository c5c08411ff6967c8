"""Personal data in the log: a trace instead of the thing itself, which can be made nobody's.

A leaf can never be taken back, so what names a person must not stand in one. In its place stands
its trace, HMAC-SHA256 of the thing under 32 random bytes that are made when it is first met and
kept, with the thing, in `audit_people`. While that row is there, one person's leaves can be found
and shown together. `erase` deletes it: the leaves and every proof hold as before, and nobody, with
the whole log and any list of names in hand, can tell whose they were. Met again, the same person
gets another trace.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from sqlalchemy import Connection, delete, select

from controller.storage.tables import audit_people
from controller.storage.upsert import insert_missing
from shared.errors import BadInputError

_SALT_BYTES = 32
_TRACE_BYTES = 16
_MAX_KIND = 40
_MAX_VALUE = 300
_PLAIN = (str, bytes, int, float, NoneType)


@dataclass(frozen=True, slots=True)
class Personal:
    """Something that names a person: an address, a login name that was tried, an e-mail address.

    To be put into a leaf in place of text; `kind` says what it is.
    """

    kind: str
    value: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.kind) <= _MAX_KIND or ":" in self.kind:
            raise BadInputError("personal.kind", repr(self.kind)[:60], "1 to 40 characters, no :")
        if not 1 <= len(self.value) <= _MAX_VALUE:
            allowed = f"1 to {_MAX_VALUE} characters"
            raise BadInputError("personal.value", f"{len(self.value)} characters", allowed)


def trace_of(conn: Connection, thing: Personal, now_ms: int) -> str:
    """`KIND:HEX`, the same for the same thing until it is erased."""
    known = find_trace(conn, thing)
    if known is not None:
        return known
    salt = secrets.token_bytes(_SALT_BYTES)
    row = {
        "kind": thing.kind,
        "value": thing.value,
        "salt": salt,
        "trace": _trace(salt, thing),
        "created_ms": now_ms,
    }
    insert_missing(conn, audit_people, [row], ["kind", "value"])
    made = find_trace(conn, thing)  # another transaction may have been first
    if made is None:
        raise RuntimeError("a trace was erased while it was made")
    return made


def find_trace(conn: Connection, thing: Personal) -> str | None:
    """The trace that the thing has; None when it has not been met, or was erased."""
    return conn.scalar(
        select(audit_people.c.trace).where(
            audit_people.c.kind == thing.kind, audit_people.c.value == thing.value
        )
    )


def person_of(conn: Connection, trace: str) -> Personal | None:
    """Whose trace it is; None when nobody knows (any more)."""
    row = conn.execute(
        select(audit_people.c.kind, audit_people.c.value).where(audit_people.c.trace == trace)
    ).one_or_none()
    return None if row is None else Personal(row.kind, row.value)


def forget(conn: Connection, thing: Personal) -> str | None:
    """Deletes the salt and the thing; returns the trace that is now nobody's, None if none was.

    `controller.audit.leaves.erase` does it and writes it down.
    """
    return conn.scalar(
        delete(audit_people)
        .where(audit_people.c.kind == thing.kind, audit_people.c.value == thing.value)
        .returning(audit_people.c.trace)
    )


def with_traces(conn: Connection, value: Any, now_ms: int) -> Any:
    """The value with each `Personal` in it replaced by its trace."""
    things: set[Personal] = set()
    _collect(value, things)
    if not things:
        return value
    found = sorted(things, key=lambda thing: (thing.kind, thing.value))
    # in one order, so that two transactions that meet the same new people do not deadlock
    return _replaced(value, {thing: trace_of(conn, thing, now_ms) for thing in found})


def _collect(value: Any, found: set[Personal]) -> None:
    if isinstance(value, _PLAIN):  # first, since it is nearly all there is
        return
    if isinstance(value, Personal):
        found.add(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, found)


def _replaced(value: Any, traces: Mapping[Personal, str]) -> Any:
    if isinstance(value, Personal):
        return traces[value]
    if isinstance(value, Mapping):
        return {key: _replaced(item, traces) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, traces) for item in value]
    return value


def _trace(salt: bytes, thing: Personal) -> str:
    data = thing.kind.encode() + b"\0" + thing.value.encode("utf-8", "surrogateescape")
    return f"{thing.kind}:{hmac.digest(salt, data, 'sha256')[:_TRACE_BYTES].hex()}"
