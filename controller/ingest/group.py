"""One group of messages in one transaction: rows, sets, acks and changes commit together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, update

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.batches import watch_repeated
from controller.fleet.meaning import Meanings
from controller.fleet.streams import (
    StreamKind,
    StreamState,
    check_owner,
    lock_streams,
    make_stream,
    store_committed,
)
from controller.ingest.batches import acks, sift
from controller.ingest.events import EventTaker
from controller.ingest.inbox import Incoming, Refused
from controller.ingest.quarantine import keep_unreadable
from controller.ingest.salvage import UnreadableRow
from controller.ingest.telemetry import (
    Record,
    insert_records,
    known_rows,
    note_ingested,
    records,
)
from controller.outbox.messages import enqueue_ack
from controller.storage.tables import nodes
from shared.errors import BadInputError
from shared.messages.event import EventBatch
from shared.messages.telemetry import TelemetryBatch
from shared.ranges import RangeSet


@dataclass(slots=True)
class Outcome:
    """What a group came to; true only once its transaction has committed."""

    telemetry_rows: int = 0
    event_rows: int = 0
    repeated_rows: int = 0
    refused: list[Refused] = field(default_factory=list)
    malformed: list[Refused] = field(default_factory=list)
    """Events, and the first of rows of a batch, that are kept and acked, but cannot be read."""


@dataclass(slots=True)
class _Work:
    """A group while its transaction is open."""

    states: dict[int, StreamState]
    committed: dict[int, RangeSet]
    added: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    records: list[Record] = field(default_factory=list)
    rows_of: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    given: dict[str, list[tuple[int, RangeSet]]] = field(default_factory=lambda: defaultdict(list))
    wanted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    outcome: Outcome = field(default_factory=Outcome)


class GroupWriter:
    """Commits groups of telemetry and event batches."""

    def __init__(self, clock: Clock, meanings: Meanings) -> None:
        self._clock = clock
        self._meanings = meanings
        self._events = EventTaker(clock, meanings)

    def write(
        self, conn: Connection, group: Sequence[Incoming], known: set[str], *, apart: bool = False
    ) -> Outcome:
        """Writes the group; `known` are the names of the nodes. The caller commits.

        Streams are locked in the order of their ids, so that replicas never wait in a circle. A
        message that is refused leaves nothing behind and is not acked. With `apart`, events that
        the database does not take are told apart from the others of their batch.
        """
        batches = [message for message in group if message.node in known]
        work = self._open(conn, batches)
        work.outcome.refused += [
            Refused(None, message.channel, "node", f"{message.node} is not a node here")
            for message in group
            if message.node not in known
        ]
        for message in batches:
            try:
                self._take(conn, work, message, apart=apart)
            except BadInputError as error:
                work.outcome.refused.append(_refusal(message, error))
        self._close(conn, work)
        return work.outcome

    def _open(self, conn: Connection, batches: Sequence[Incoming]) -> _Work:
        ids = {
            message.content.stream
            for message in batches
            if isinstance(message.content, TelemetryBatch | EventBatch)
        }
        telling = {m.node for m in batches if isinstance(m.content, EventBatch)}
        states = lock_streams(conn, ids, telling)
        for message in batches:
            content = message.content
            if isinstance(content, EventBatch) and content.stream not in states:
                now_ms = self._clock.now_ms()
                make_stream(conn, content.stream, message.node, StreamKind.EVENT, now_ms)
        if not ids <= states.keys():
            states = lock_streams(conn, ids, telling)
        return _Work(states, {stream: state.committed for stream, state in states.items()})

    def _take(self, conn: Connection, work: _Work, message: Incoming, *, apart: bool) -> None:
        content = message.content
        if isinstance(content, TelemetryBatch):
            self._take_telemetry(conn, work, message, content)
        elif isinstance(content, EventBatch):
            self._take_events(conn, work, message, content, apart=apart)
        else:
            raise TypeError(f"{message.channel} messages are not written in groups")

    def _take_telemetry(
        self, conn: Connection, work: _Work, message: Incoming, batch: TelemetryBatch
    ) -> None:
        node = message.node
        state = work.states.get(batch.stream)
        if state is not None:
            check_owner(state, node, StreamKind.TELEMETRY)
        devices = self._devices(conn, batch)
        if state is None or devices is None:
            if batch.rows:
                work.wanted[node].add(batch.birth)
            return
        before = work.committed[batch.stream]
        sifted = sift(batch.rows, before)
        if len(sifted.new) < len(batch.rows):
            known = [row for row in batch.rows if row.seq in before][:1]
            watch_repeated(conn, node, batch.stream, known, self._clock.now_ms())
        new, strange = known_rows(sifted.new, batch.birth, devices)
        given = sifted.given.difference(RangeSet.of_numbers(row.seq for row in strange))
        unread = [row for row in (*strange, *message.unreadable) if row.seq not in given]
        given = given.union(self._keep(conn, work, message, state, unread))
        work.records += records(batch, new, devices)
        work.committed[batch.stream] = before.union(given)
        work.added[batch.stream] += len(new)
        work.rows_of[node] += len(new)
        work.given[node].append((batch.stream, given))
        work.outcome.telemetry_rows += len(new)
        work.outcome.repeated_rows += len(batch.rows) - len(sifted.new)
        if new:
            note_ingested(conn, node, batch, new, self._clock.now_ms())

    def _devices(self, conn: Connection, batch: TelemetryBatch) -> Mapping[int, int] | None:
        """Ids by alias; None when the birth is not known. No row, no device, no birth."""
        if not batch.rows:
            return {}
        meaning = self._meanings.find(conn, batch.stream, batch.birth)
        return None if meaning is None else meaning.devices

    def _keep(
        self,
        conn: Connection,
        work: _Work,
        message: Incoming,
        state: StreamState,
        rows: Sequence[UnreadableRow],
    ) -> RangeSet:
        """Puts rows that cannot be read into the quarantine; the numbers that are committed now.
        Those that it has no room for stay with their node."""
        before = work.committed[state.id]
        known = RangeSet.of_numbers(row.seq for row in rows if row.seq in before)
        new = {row.seq: row for row in reversed(rows) if row.seq not in before}
        if not new:
            return known
        content = message.content
        birth = content.birth if isinstance(content, TelemetryBatch) else None
        first = min(new.values(), key=lambda row: row.seq)
        try:
            keep_unreadable(conn, self._clock, state, birth or None, list(new.values()))
        except BadInputError as error:
            work.outcome.refused.append(_refusal(message, error))
            return known
        work.outcome.malformed.append(_refusal(message, first.problem))
        work.added[state.id] += len(new)
        return known.union(RangeSet.of_numbers(new))

    def _take_events(
        self, conn: Connection, work: _Work, message: Incoming, batch: EventBatch, *, apart: bool
    ) -> None:
        node, state = message.node, work.states[batch.stream]
        check_owner(state, node, StreamKind.EVENT)
        before = work.committed[batch.stream]
        sifted = sift(batch.rows, before)
        if len(sifted.new) < len(batch.rows):
            known = [row for row in batch.rows if row.seq in before][:1]
            watch_repeated(conn, node, batch.stream, known, self._clock.now_ms())
        result = self._events.take(conn, node, batch.stream, sifted.new, apart=apart)
        taken = RangeSet.of_numbers(result.taken)
        acked = sifted.given.intersection(before.union(taken))
        unread = [row for row in message.unreadable if row.seq not in sifted.given]
        kept = self._keep(conn, work, message, state, unread)
        work.committed[batch.stream] = before.union(taken).union(kept)
        work.added[batch.stream] += len(taken)
        work.given[node].append((batch.stream, acked.union(kept)))
        work.wanted[node] |= result.births_wanted
        work.outcome.event_rows += len(taken)
        work.outcome.repeated_rows += len(batch.rows) - len(sifted.new)
        work.outcome.malformed += [
            Refused(node, StreamKind.EVENT, error.field, str(error)) for error in result.malformed
        ]

    def _close(self, conn: Connection, work: _Work) -> None:
        insert_records(conn, work.records)
        for stream, rows in work.added.items():
            if rows:
                store_committed(conn, work.states[stream], work.committed[stream], rows)
        for node in sorted(work.given.keys() | work.wanted.keys()):
            for ack in acks(work.given[node], work.wanted[node]):
                enqueue_ack(conn, self._clock, node, ack)
            conn.execute(
                update(nodes).where(nodes.c.name == node).values(last_seen_ms=self._clock.now_ms())
            )
        for node, rows in work.rows_of.items():
            if rows:
                record_change(conn, self._clock, ChangeKind.TELEMETRY, node, str(rows))


def _refusal(message: Incoming, error: BadInputError) -> Refused:
    return Refused(message.node, message.channel, error.field, str(error))
