"""Somebody has looked into an event, and says what he found."""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.audit import Personal, queue_leaf
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.baselines import accept_hash
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError, MissingError
from controller.storage.tables import security_events


class ChangedError(Exception):
    """The event is not as the person saw it."""


def acknowledge(
    conn: Connection, clock: Clock, event_id: int, actor: str, note: str, version: int | None
) -> Row[Any]:
    """The event as it is then. What drifted is accepted with it, and drifts no more.

    `MissingError`; `ConflictError` when it is acknowledged already; `ChangedError` when it is not
    at `version` (None: whichever).
    """
    row = conn.execute(
        select(security_events).where(security_events.c.id == event_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise MissingError("security event", str(event_id))
    if version is not None and row.version != version:
        raise ChangedError
    if row.acknowledged_ms is not None:
        raise ConflictError("it is acknowledged already")
    now_ms = clock.now_ms()
    if row.kind == SecurityKind.CONFIGURATION_DRIFT.value:
        accept_hash(conn, row.subject, str(row.detail["of"]), str(row.detail["is"]), now_ms)
    queue_leaf(
        conn,
        kind="security.acknowledged",
        actor=actor,
        subject=f"security_event:{event_id}",  # its own leaf has the subject, as a trace
        data={
            "kind": row.kind,
            "note": Personal("note", note),  # whatever a person writes of persons
            "occurrences": row.occurrences,
        },
        now_ms=now_ms,
    )
    record_change(conn, clock, ChangeKind.SECURITY, None, str(event_id))
    return conn.execute(
        update(security_events)
        .where(security_events.c.id == event_id)
        .values(
            acknowledged_ms=now_ms,
            acknowledged_by=actor,
            note=note,
            version=security_events.c.version + 1,
        )
        .returning(*security_events.c)
    ).one()
