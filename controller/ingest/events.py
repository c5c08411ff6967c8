"""Events into the database, and what the controller does about them."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.batches import watch_event
from controller.fleet.alarms import AlarmKey, raise_own_alarm, refresh_alarm
from controller.fleet.commands import answer
from controller.fleet.event_content import EventContent, RowKind, read_content
from controller.fleet.meaning import Meanings
from controller.ingest.gaps import OVERLAP, take_gap
from controller.storage.failures import passes
from controller.storage.tables import events
from shared.errors import BadInputError
from shared.host.tracing import SpanKind, beside, command_place, tell
from shared.messages.event import EventRow, Severity
from shared.messages.gap import Gap

_ALARM = "event-malformed"
_GAP_ALARM = "gap-aggregates-unused"
_MAX_ALARM_TEXT = 300
_log = structlog.get_logger()


@dataclass(slots=True)
class EventsTaken:
    """What became of rows: taken by number, with those that are malformed among them and the errors
    that say so; births that are wanted."""

    taken: list[int] = field(default_factory=list)
    malformed: list[BadInputError] = field(default_factory=list)
    births_wanted: set[int] = field(default_factory=set)


class EventTaker:
    """Writes new events of one node; holds what doing so needs."""

    def __init__(self, clock: Clock, meanings: Meanings) -> None:
        self._clock = clock
        self._meanings = meanings

    def take(
        self, conn: Connection, node: str, stream: int, rows: Iterable[EventRow], *, apart: bool
    ) -> EventsTaken:
        """Takes rows that are not committed yet, in order. One that is malformed is kept as it came
        and raises an alarm of the controller's own, for its node would send it for ever.

        With `apart` each row has a savepoint, and one that the database does not take (a NUL in a
        text) is malformed too; without it, such a row raises and ends the transaction.
        """
        result = EventsTaken()
        for row in sorted(rows, key=lambda row: row.seq):
            try:
                with conn.begin_nested() if apart else nullcontext():
                    missing = self._take(conn, node, stream, row)
            except BadInputError as error:
                self._keep(conn, node, stream, row, error)
                result.malformed.append(error)
            except DBAPIError as error:
                if not apart or passes(error):
                    raise
                refusal = BadInputError("event", _told(error), "what the database stores")
                self._keep(conn, node, stream, row, refusal)
                result.malformed.append(refusal)
            else:
                if missing is not None:
                    result.births_wanted.add(missing)
                    continue
            result.taken.append(row.seq)
        return result

    def _take(self, conn: Connection, node: str, stream: int, row: EventRow) -> int | None:
        """Stores the event; the number of the birth that a gap report waits for instead, if so."""
        content = read_content(row.body)
        if content.gap is not None:
            missing = self._take_gap(conn, node, content.gap, content.gap_problem)
            if missing is not None:
                return missing
        self._store(conn, node, stream, row, content)
        return None

    def _take_gap(self, conn: Connection, node: str, gap: Gap, unread: str | None) -> int | None:
        meaning = self._meanings.find(conn, gap.stream, gap.birth)
        if meaning is None:
            return gap.birth
        problem = take_gap(conn, node, gap, meaning, self._clock.now_ms(), unread)
        if problem is not None:
            where = {"node": node, "first": gap.first, "last": gap.last}
            _log.warning("a gap report's aggregates are not used", problem=problem, **where)
        if problem not in {None, OVERLAP}:
            text = f"gap report of rows {gap.first} to {gap.last}: {problem}"
            raise_own_alarm(conn, self._clock, node, _GAP_ALARM, text[:_MAX_ALARM_TEXT])
        return None

    def _store(
        self, conn: Connection, node: str, stream: int, row: EventRow, content: EventContent
    ) -> None:
        event = content.event
        event_id = conn.scalar(
            insert(events)
            .values(
                node=node,
                stream=stream,
                seq=row.seq,
                device=event.device,
                kind=event.kind.value,
                severity=event.severity.value,
                code=content.code,
                time_ms=row.time_ms,
                received_ms=self._clock.now_ms(),
                body=row.body,
            )
            .returning(events.c.id)
        )
        record_change(conn, self._clock, ChangeKind.EVENT, node, str(event_id))
        if content.code is not None:
            key = AlarmKey(node, stream, event.device, content.code)
            refresh_alarm(conn, self._clock, key, row.seq)
        watch_event(conn, node, stream, content, (row.time_ms, self._clock.now_ms()))
        if content.reply is None:
            return
        given = command_place(content.reply.command_id)
        if answer(conn, self._clock, node, stream, content.reply):
            tell("take reply", SpanKind.CONSUMER, beside(given), within=given)
        else:
            _log.warning(
                "reply to no command of this node",
                node=node,
                seq=row.seq,
                command_trace=given.trace,
            )

    def _keep(
        self, conn: Connection, node: str, stream: int, row: EventRow, error: BadInputError
    ) -> None:
        event_id = conn.scalar(
            insert(events)
            .values(
                node=node,
                stream=stream,
                seq=row.seq,
                kind=RowKind.MALFORMED.value,
                severity=Severity.WARNING.value,
                time_ms=row.time_ms,
                received_ms=self._clock.now_ms(),
                body=row.body,
            )
            .returning(events.c.id)
        )
        record_change(conn, self._clock, ChangeKind.EVENT, node, str(event_id))
        text = f"event {row.seq} is kept as it came: {error}".replace("\x00", "")
        raise_own_alarm(conn, self._clock, node, _ALARM, text[:_MAX_ALARM_TEXT])


def _told(error: DBAPIError) -> str:
    return str(error.orig)[:200]
