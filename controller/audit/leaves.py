"""Audit leaves: what was changed, by whom, in canonical bytes with their RFC 6962 leaf hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from controller.audit.people import Personal, forget, with_traces
from controller.storage.tables import audit_leaves
from shared.errors import BadInputError
from shared.merkle import leaf_hash
from shared.messages import cbor

FIELDS = frozenset({"actor", "data", "kind", "subject", "time_ms"})
MAX_LEAF_BYTES = cbor.MAX_PAYLOAD


def leaf_bytes(kind: str, actor: str, subject: str, time_ms: int, data: Mapping[str, Any]) -> bytes:
    """The leaf as deterministic CBOR: equal facts give equal bytes."""
    return cbor.encode(
        {
            "actor": actor,
            "data": dict(data),
            "kind": kind,
            "subject": subject,
            "time_ms": time_ms,
        }
    )


@dataclass(frozen=True, slots=True)
class Leaf:
    """What `queue_leaf` takes of one leaf."""

    kind: str
    actor: str | Personal
    subject: str | Personal
    data: Mapping[str, Any]


def queue_leaf(
    conn: Connection,
    *,
    kind: str,
    actor: str | Personal,
    subject: str | Personal,
    data: Mapping[str, Any],
    now_ms: int,
) -> None:
    """Queues a leaf in the transaction of `conn`: it commits with the change, or not at all.

    A leaf is kept for ever: what names a person (an address, a name that was typed) goes in as
    `Personal`, anywhere in `actor`, `subject` and `data`, and stands there as its trace.
    `BadInputError` for a leaf of more than 256 KiB.
    """
    queue_leaves(conn, [Leaf(kind, actor, subject, data)], now_ms=now_ms)


def queue_leaves(conn: Connection, leaves: Sequence[Leaf], *, now_ms: int) -> None:
    """Queues several leaves in their order; see `queue_leaf`."""
    if leaves:
        conn.execute(insert(audit_leaves), [_row(conn, one, now_ms) for one in leaves])


def _row(conn: Connection, leaf: Leaf, now_ms: int) -> dict[str, Any]:
    who, what, told = with_traces(conn, [leaf.actor, leaf.subject, leaf.data], now_ms)
    body = leaf_bytes(leaf.kind, who, what, now_ms, told)
    if len(body) > MAX_LEAF_BYTES:
        raise BadInputError("leaf", f"{len(body)} bytes", f"at most {MAX_LEAF_BYTES} bytes")
    return {
        "kind": leaf.kind,
        "actor": who,
        "subject": what,
        "body": body,
        "leaf_hash": leaf_hash(body),
        "created_ms": now_ms,
    }


def erase(conn: Connection, thing: Personal, *, actor: str, now_ms: int) -> bool:
    """Makes the thing's trace nobody's, and writes down that it was; False: it had none."""
    trace = forget(conn, thing)
    if trace is None:
        return False
    queue_leaf(conn, kind="audit.person_erased", actor=actor, subject=trace, data={}, now_ms=now_ms)
    return True
