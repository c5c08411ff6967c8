"""What access leaves behind: an audit leaf for every change, a security event for every refusal.

Persons are named by the id of their account, addresses by their salted hash.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.audit import queue_leaf
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report


def changed(
    conn: Connection, clock: Clock, kind: str, actor: str, subject: str, **data: Any
) -> None:
    """Queues the leaf of a change."""
    queue_leaf(conn, kind=kind, actor=actor, subject=subject, data=data, now_ms=clock.now_ms())


def suspicious(
    conn: Connection, clock: Clock, kind: SecurityKind, subject: str, detail: Mapping[str, Any]
) -> None:
    """Reports a security event."""
    report(conn, kind=kind, subject=subject, detail=detail, now_ms=clock.now_ms())
