"""One group of messages in one transaction: rows, sets, acks and changes commit together."""

from collections import defaultdict
from collections.abc import Sequence
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
from controller.ingest.telemetry import Record, insert_records, note_ingested, records
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
    """Events that are kept and acked, but cannot be read."""


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
            self._take_telemetry(conn, work, message.node, content)
        elif isinstance(content, EventBatch):
            self._take_events(conn, work, message.node, content, apart=apart)
        else:
            raise TypeError(f"{message.channel} messages are not written in groups")

    def _take_telemetry(
        self, conn: Connection, work: _Work, node: str, batch: TelemetryBatch
    ) -> None:
        state = work.states.get(batch.stream)
        if state is not None:
            check_owner(state, node, StreamKind.TELEMETRY)
        meaning = self._meanings.find(conn, batch.stream, batch.birth)
        if state is None or meaning is None:
            work.wanted[node].add(batch.birth)
            return
        before = work.committed[batch.stream]
        sifted = sift(batch.rows, before)
        if len(sifted.new) < len(batch.rows):
            known = [row for row in batch.rows if row.seq in before][:1]
            watch_repeated(conn, node, batch.stream, known, self._clock.now_ms())
        new = records(batch, sifted.new, meaning.devices)
        work.records += new
        work.committed[batch.stream] = sifted.committed
        work.added[batch.stream] += len(new)
        work.rows_of[node] += len(new)
        work.given[node].append((batch.stream, sifted.given))
        work.outcome.telemetry_rows += len(new)
        work.outcome.repeated_rows += len(batch.rows) - len(new)
        if new:
            note_ingested(conn, node, batch, sifted, self._clock.now_ms())

    def _take_events(
        self, conn: Connection, work: _Work, node: str, batch: EventBatch, *, apart: bool
    ) -> None:
        check_owner(work.states[batch.stream], node, StreamKind.EVENT)
        before = work.committed[batch.stream]
        sifted = sift(batch.rows, before)
        if len(sifted.new) < len(batch.rows):
            known = [row for row in batch.rows if row.seq in before][:1]
            watch_repeated(conn, node, batch.stream, known, self._clock.now_ms())
        result = self._events.take(conn, node, batch.stream, sifted.new, apart=apart)
        taken = RangeSet.of_numbers(result.taken)
        acked = sifted.given.intersection(before.union(taken))
        work.committed[batch.stream] = before.union(taken)
        work.added[batch.stream] += len(taken)
        work.given[node].append((batch.stream, acked))
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
