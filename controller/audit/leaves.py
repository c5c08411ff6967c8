"""Audit leaves: what was changed, by whom, in canonical bytes with their SHA-256."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from controller.storage.tables import audit_leaves
from shared.messages import cbor


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


def queue_leaf(
    conn: Connection, *, kind: str, actor: str, subject: str, data: Mapping[str, Any], now_ms: int
) -> None:
    """Queues a leaf in the transaction of `conn`: it commits with the change, or not at all."""
    body = leaf_bytes(kind, actor, subject, now_ms, data)
    conn.execute(
        insert(audit_leaves).values(
            kind=kind,
            actor=actor,
            subject=subject,
            body=body,
            sha256=hashlib.sha256(body).digest(),
            created_ms=now_ms,
        )
    )
