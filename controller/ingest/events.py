"""Events into the database, and what the controller does about them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, insert

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.fleet.alarms import AlarmKey, alarm_code, refresh_alarm
from controller.fleet.commands import answer
from controller.fleet.meaning import Meanings
from controller.ingest.gaps import take_gap
from controller.storage.tables import events
from shared.errors import BadInputError
from shared.messages.event import Event, EventKind, EventRow
from shared.messages.gap import Gap
from shared.messages.reply import Reply

_log = structlog.get_logger()


@dataclass(slots=True)
class EventsTaken:
    """What became of rows: taken by number, refused with the error, births that are wanted."""

    taken: list[int] = field(default_factory=list)
    refused: list[BadInputError] = field(default_factory=list)
    births_wanted: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Read:
    """An event with what its kind adds, all of it checked before anything is written."""

    row: EventRow
    event: Event
    code: str | None = None
    reply: Reply | None = None
    gap: Gap | None = None


class EventTaker:
    """Writes new events of one node; holds what doing so needs."""

    def __init__(self, clock: Clock, meanings: Meanings) -> None:
        self._clock = clock
        self._meanings = meanings

    def take(
        self, conn: Connection, node: str, stream: int, rows: Iterable[EventRow]
    ) -> EventsTaken:
        """Takes rows that are not committed yet, in order; one that is malformed stays out."""
        result = EventsTaken()
        for row in sorted(rows, key=lambda row: row.seq):
            try:
                read = _read(row)
                missing = self._take_gap(conn, node, read)
            except BadInputError as error:
                result.refused.append(error)
                continue
            if missing is not None:
                result.births_wanted.add(missing)
                continue
            self._store(conn, node, stream, read)
            result.taken.append(row.seq)
        return result

    def _take_gap(self, conn: Connection, node: str, read: _Read) -> int | None:
        """The number of the birth that is missing for a gap report; None when it was taken."""
        gap = read.gap
        if gap is None:
            return None
        meaning = self._meanings.find(conn, gap.stream, gap.birth)
        if meaning is None:
            return gap.birth
        problem = take_gap(conn, node, gap, meaning, self._clock.now_ms())
        if problem is not None:
            _log.warning("gap report overlaps", node=node, first=gap.first, last=gap.last)
        return None

    def _store(self, conn: Connection, node: str, stream: int, read: _Read) -> None:
        event, row = read.event, read.row
        event_id = conn.scalar(
            insert(events)
            .values(
                node=node,
                stream=stream,
                seq=row.seq,
                device=event.device,
                kind=event.kind.value,
                severity=event.severity.value,
                code=read.code,
                time_ms=row.time_ms,
                received_ms=self._clock.now_ms(),
                body=row.body,
            )
            .returning(events.c.id)
        )
        record_change(conn, self._clock, ChangeKind.EVENT, node, str(event_id))
        if read.code is not None:
            key = AlarmKey(node, stream, event.device, read.code)
            refresh_alarm(conn, self._clock, key, row.seq)
        if read.reply is not None and not answer(conn, self._clock, node, stream, read.reply):
            _log.warning("reply to no command of this node", node=node, seq=row.seq)


def _read(row: EventRow) -> _Read:
    event = Event.decode(row.body)
    if event.kind is EventKind.ALARM:
        return _Read(row, event, code=alarm_code(event))
    if event.kind is EventKind.REPLY:
        return _Read(row, event, reply=Reply.from_data(event.data))
    if event.kind is EventKind.GAP:
        return _Read(row, event, gap=Gap.from_data(event.data))
    return _Read(row, event)
