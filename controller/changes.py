"""What changed, written in the transaction that changed it: the source of the live stream."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select, text

from controller.clock import Clock
from controller.storage.tables import changes


class ChangeKind(StrEnum):
    """What a change is about, and what its `subject` names."""

    TELEMETRY = "telemetry"
    """New rows of `node`; subject: the number of rows."""
    ROLLUP = "rollup"
    """The roll-ups of `node` have new figures; subject: ""."""
    EVENT = "event"
    """subject: the id of the event."""
    ALARM = "alarm"
    """An alarm was raised or lowered; subject: its code."""
    COMMAND = "command"
    """subject: the id of the command."""
    NODE = "node"
    """The node's state, birth or devices; subject: the node's name."""
    SITE = "site"
    """subject: the site's id."""
    APPROVAL = "approval"
    """subject: the id of the approval request."""
    SECURITY = "security"
    """subject: the id of the security event."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `time_ms` is business time."""

    id: int
    kind: ChangeKind
    node: str | None
    subject: str
    time_ms: int


def record_change(
    conn: Connection, clock: Clock, kind: ChangeKind, node: str | None, subject: str
) -> None:
    """Adds a change to the transaction of `conn`."""
    conn.execute(
        insert(changes).values(
            kind=kind.value,
            node=node,
            subject=subject,
            time_ms=clock.now_ms(),
            real_ms=clock.real_ms(),
            transaction=text("pg_current_xact_id()::text::bigint")
            if _on_postgresql(conn)
            else None,
        )
    )


def changes_after(conn: Connection, after: int, most: int = 1_000) -> list[Change]:
    """Changes with ids above `after`, oldest first.

    On PostgreSQL ids are handed out before they are committed: a transaction still in flight may
    yet commit a lower id. So reading stops before the first change of a transaction that is not
    older than every one in flight; those come with a later call.
    """
    query = select(changes).where(changes.c.id > after).order_by(changes.c.id).limit(most)
    rows = conn.execute(query).all()
    if _on_postgresql(conn):
        horizon = conn.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
        rows = [row for row in rows if horizon is not None and row.transaction < horizon]
    return [Change(r.id, ChangeKind(r.kind), r.node, r.subject, r.time_ms) for r in rows]


def newest_change(conn: Connection) -> int:
    """The id to start after so that only what follows is seen."""
    if _on_postgresql(conn):
        settled = text("transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return conn.scalar(select(func.max(changes.c.id)).where(settled)) or 0
    return conn.scalar(select(func.max(changes.c.id))) or 0


def _on_postgresql(conn: Connection) -> bool:
    return conn.dialect.name == "postgresql"
