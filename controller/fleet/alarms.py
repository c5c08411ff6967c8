"""Alarms in the database: derived from events of nodes, or raised by the controller itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.fleet.alarm_life import AlarmEvent, AlarmSpan, alarm_spans
from controller.storage.tables import alarms, events
from shared.messages.event import Event, EventKind, Severity


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """Which alarm of which node; `device` None for the node itself."""

    node: str
    stream: int
    device: str | None
    code: str


def refresh_alarm(conn: Connection, clock: Clock, key: AlarmKey, seq: int) -> None:
    """Derives the alarm anew from the last raising before `seq` on; call once `seq` is stored."""
    begin = conn.scalar(
        select(alarms.c.raised_seq)
        .where(_is_key(key), alarms.c.raised_seq <= seq)
        .order_by(alarms.c.raised_seq.desc())
        .limit(1)
    )
    begin = seq if begin is None else begin
    told = conn.execute(
        select(events).where(
            events.c.stream == key.stream,
            events.c.code == key.code,
            _same(events.c.device, key.device),
            events.c.seq >= begin,
        )
    ).all()
    spans = alarm_spans([_alarm_event(row.seq, row.time_ms, row.body) for row in told])
    _replace(conn, key, begin, spans)
    record_change(conn, clock, ChangeKind.ALARM, key.node, key.code[:64])


def _replace(conn: Connection, key: AlarmKey, begin: int, spans: Sequence[AlarmSpan]) -> None:
    known = {
        row.raised_seq: row
        for row in conn.execute(select(alarms).where(_is_key(key), alarms.c.raised_seq >= begin))
    }
    for span in spans:
        values = _values(key, span)
        row = known.pop(span.raised.seq, None)
        if row is None:
            conn.execute(insert(alarms).values(**values))
        elif any(getattr(row, name) != value for name, value in values.items()):
            conn.execute(
                update(alarms)
                .where(alarms.c.id == row.id)
                .values(**values, version=row.version + 1)
            )
    for row in known.values():
        conn.execute(delete(alarms).where(alarms.c.id == row.id))


def _values(key: AlarmKey, span: AlarmSpan) -> dict[str, Any]:
    return {
        "node": key.node,
        "stream": key.stream,
        "device": key.device,
        "code": key.code,
        "severity": span.raised.severity,
        "text": span.raised.text,
        "raised_ms": span.raised.time_ms,
        "raised_seq": span.raised.seq,
        "lowered_ms": None if span.lowered is None else span.lowered.time_ms,
        "lowered_seq": None if span.lowered is None else span.lowered.seq,
    }


def _alarm_event(seq: int, time_ms: int, body: bytes) -> AlarmEvent:
    event = Event.decode(body)
    return AlarmEvent(
        seq=seq,
        time_ms=time_ms,
        raised=bool(event.data["raised"]),
        severity=event.severity.value,
        text=event.data.get("text", ""),
    )


def _is_key(key: AlarmKey) -> ColumnElement[bool]:
    return and_(
        alarms.c.stream == key.stream,
        alarms.c.code == key.code,
        _same(alarms.c.device, key.device),
    )


def _same(column: ColumnElement[Any], value: str | None) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def raise_own_alarm(conn: Connection, clock: Clock, node: str, code: str, text: str) -> bool:
    """The controller's own alarm about a node; False when it is raised already."""
    now_ms = clock.now_ms()
    standing = conn.scalar(
        select(alarms.c.id).where(
            alarms.c.node == node,
            alarms.c.stream.is_(None),
            alarms.c.code == code,
            alarms.c.lowered_ms.is_(None),
        )
    )
    if standing is not None:
        return False
    told = Event(EventKind.ALARM, Severity.WARNING, {"code": code, "raised": True, "text": text})
    body = told.encode()
    event_id = conn.scalar(
        insert(events)
        .values(
            node=node,
            kind=told.kind.value,
            severity=told.severity.value,
            code=code,
            time_ms=now_ms,
            received_ms=now_ms,
            body=body,
        )
        .returning(events.c.id)
    )
    conn.execute(
        insert(alarms).values(
            node=node, code=code, severity=told.severity.value, text=text, raised_ms=now_ms
        )
    )
    record_change(conn, clock, ChangeKind.EVENT, node, str(event_id))
    record_change(conn, clock, ChangeKind.ALARM, node, code)
    return True


def lower_own_alarms(conn: Connection, node: str, now_ms: int) -> None:
    """Lowers what the controller raised about a node: it has started anew."""
    _lower(conn, now_ms, alarms.c.node == node, alarms.c.stream.is_(None))


def lower_orphaned_alarms(conn: Connection, node: str, event_stream: int, now_ms: int) -> None:
    """Lowers alarms of a node's former event streams, whose database is lost: nobody else will."""
    _lower(
        conn,
        now_ms,
        alarms.c.node == node,
        alarms.c.stream.is_not(None),
        alarms.c.stream != event_stream,
    )


def _lower(conn: Connection, now_ms: int, *which: ColumnElement[bool]) -> None:
    conn.execute(
        update(alarms)
        .where(alarms.c.lowered_ms.is_(None), *which)
        .values(lowered_ms=now_ms, version=alarms.c.version + 1)
    )
