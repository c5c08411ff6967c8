"""A security event is written down: its row, its audit leaf, a note for the page, the webhook's
message, all in the transaction of the caller.

A caller that refuses and rolls back reports in a transaction of its own.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from controller.audit import queue_leaf
from controller.audit.people import Personal, with_traces
from controller.changes import ChangeKind, record_change
from controller.clock import SystemClock
from controller.detection.counting import (
    MANY,
    MAX_SUBJECT,
    MOST_ROWS,
    WINDOW_MS,
    Series,
    continues,
    fingerprint,
    plain_detail,
    plain_text,
    worth_telling,
)
from controller.detection.delivery_life import DeliveryState
from controller.detection.kinds import MEANINGS, SecurityKind
from controller.storage.tables import security_events, webhook_deliveries, webhooks
from shared.time import from_ms

LEAF_KIND = "security.event"
ACTOR = "controller"


def report(
    conn: Connection,
    *,
    kind: SecurityKind,
    subject: str | Personal,
    detail: Mapping[str, Any],
    now_ms: int,
    times: int = 1,
) -> int:
    """Writes the event, or counts it on the row of its series; returns the row's id.

    `subject` is who or what it is about: a node, an account, an address; `detail` is plain data,
    cut to bounds. Personal things stand in the row, which retention ends, and as their traces in
    the leaf, which is kept for ever. `now_ms` is business time; `times` of equal events at once.
    """
    event = _event(kind, _revealed([subject, detail]))
    row, occurrences = _write(conn, event, now_ms, times)
    many = row is None
    if row is None:
        event = _Event(kind, MANY, {"more_than": MOST_ROWS, "within_ms": WINDOW_MS})
        row, occurrences = _write(conn, event, now_ms, times, bounded=False)
    if row is None:
        raise RuntimeError("a row without a bound was not written")
    if worth_telling(occurrences - times, occurrences):
        kept = event if many else _event(kind, with_traces(conn, [subject, detail], now_ms))
        _leaf(conn, kept, row, occurrences, now_ms)
        _tell(conn, event, row, occurrences, now_ms)
        record_change(conn, _At(now_ms), ChangeKind.SECURITY, None, str(row))
    return row


@dataclass(frozen=True, slots=True)
class _Event:
    kind: SecurityKind
    subject: str
    detail: Mapping[str, Any]


def _event(kind: SecurityKind, told: list[Any]) -> _Event:
    subject, detail = told
    return _Event(kind, plain_text(str(subject), MAX_SUBJECT), plain_detail(detail))


def _revealed(value: Any) -> Any:
    """The value with each `Personal` in it as what it stands for."""
    if isinstance(value, Personal):
        return value.value
    if isinstance(value, Mapping):
        return {key: _revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_revealed(item) for item in value]
    return value


class _At:
    """The caller's time, for what notes it beside real time."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def real_ms(self) -> int:
        return SystemClock().real_ms()


def _write(
    conn: Connection, event: _Event, now_ms: int, times: int, *, bounded: bool = True
) -> tuple[int | None, int]:
    """The row's id and its count; no id when there are too many new rows of the kind."""
    digest = fingerprint(event.kind.value, event.subject, event.detail)
    series = _newest(conn, digest)
    if series is not None and _continues(series, now_ms):
        occurrences = series.occurrences + times
        conn.execute(
            update(security_events)
            .where(security_events.c.id == series.id)
            .values(
                occurrences=occurrences,
                last_ms=max(now_ms, series.last_ms),
                version=security_events.c.version + 1,
            )
        )
        return series.id, occurrences
    if bounded and _recent(conn, event.kind, now_ms) >= MOST_ROWS:
        return None, 0
    made = conn.scalar(
        insert(security_events)
        .values(
            kind=event.kind.value,
            severity=MEANINGS[event.kind].severity.value,
            subject=event.subject,
            detail=dict(event.detail),
            fingerprint=digest,
            first_ms=now_ms,
            last_ms=now_ms,
            occurrences=times,
        )
        .returning(security_events.c.id)
    )
    return made, times


def _newest(conn: Connection, digest: bytes) -> Row[Any] | None:
    """The newest row of these events, locked. One that another transaction holds is left alone:
    an event more must never make what is being refused or committed wait, or wait in a circle."""
    return conn.execute(
        select(security_events)
        .where(security_events.c.fingerprint == digest)
        .order_by(security_events.c.id.desc())
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()


def _continues(row: Row[Any], now_ms: int) -> bool:
    return continues(Series(row.first_ms, row.last_ms, row.acknowledged_ms is not None), now_ms)


def _recent(conn: Connection, kind: SecurityKind, now_ms: int) -> int:
    query = select(func.count()).where(
        security_events.c.kind == kind.value,
        security_events.c.first_ms > now_ms - WINDOW_MS,
        security_events.c.first_ms <= now_ms,
    )
    return conn.scalar(query) or 0


def _leaf(conn: Connection, event: _Event, row: int, occurrences: int, now_ms: int) -> None:
    queue_leaf(
        conn,
        kind=LEAF_KIND,
        actor=ACTOR,
        subject=event.subject,
        data={
            "detail": dict(event.detail),
            "event": row,
            "kind": event.kind.value,
            "occurrences": occurrences,
            "severity": MEANINGS[event.kind].severity.value,
        },
        now_ms=now_ms,
    )


def _tell(conn: Connection, event: _Event, row: int, occurrences: int, now_ms: int) -> None:
    """A message to each receiver; `due_real_ms` 0 is at once. That the receiver takes no messages
    is not told to the receiver."""
    if event.kind is SecurityKind.WEBHOOK_DEAD:
        return
    receivers = conn.scalars(select(webhooks.c.name).where(webhooks.c.enabled == 1)).all()
    for receiver in receivers:
        conn.execute(
            insert(webhook_deliveries).values(
                webhook=receiver,
                event_id=row,
                message_id=f"msg_{uuid.uuid4().hex}",
                body=_body(event, row, occurrences, now_ms),
                state=DeliveryState.WAITING.value,
                attempts=0,
                due_real_ms=0,
            )
        )


def _body(event: _Event, row: int, occurrences: int, now_ms: int) -> str:
    """The webhook's JSON, made once: what is sent again is the same."""
    meaning = MEANINGS[event.kind]
    told = from_ms(now_ms).isoformat()
    data = {
        "id": row,
        "kind": event.kind.value,
        "severity": meaning.severity.value,
        "text": meaning.text,
        "subject": event.subject,
        "detail": dict(event.detail),
        "occurrences": occurrences,
        "time": told,
    }
    body = {"type": "security.event", "timestamp": told, "data": data}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))
