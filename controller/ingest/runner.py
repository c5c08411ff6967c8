"""The ingest thread: takes what came, in groups, and commits each group."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from controller.clock import Clock
from controller.config import IngestConfig
from controller.detection.baselines import watch_birth, watch_state
from controller.detection.fleet_rules import judge_refused
from controller.detection.report import report
from controller.errors import MissingError
from controller.fleet.alarms import raise_own_alarm
from controller.fleet.births import take_birth
from controller.fleet.meaning import Meanings
from controller.fleet.presence import take_state
from controller.ingest.group import GroupWriter, Outcome
from controller.ingest.inbox import Incoming, Received, Refused, read_message
from controller.ingest.senders import (
    CERTIFICATE,
    Senders,
    is_last_word,
    read_senders,
    without_certificate,
)
from controller.metrics import ControllerMetrics
from controller.pauses import pause_after
from controller.storage.engine import Storage
from controller.storage.failures import passes
from controller.storage.partitions import Partitions
from controller.storage.tables import nodes
from shared.errors import BadInputError
from shared.host.tracing import span
from shared.messages.birth import Birth
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch

_QUEUE_MESSAGES = 20_000
_PAUSES_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IngestHooks:
    """What the thread calls when a group is dealt with: confirm its messages, wake who waits."""

    confirm: Callable[[int], None]
    wake: Callable[[], None]


class _StoppedError(Exception):
    """The process ends while the database does not commit."""


class Ingest:
    """Takes messages from any thread with `offer`; one thread commits them."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        config: IngestConfig,
        metrics: ControllerMetrics,
        allowed_software: Sequence[str] = (),
        *,
        only_enrolled: bool = False,
    ) -> None:
        """With `only_enrolled`, nothing is taken of a node without a certificate that counts."""
        self._storage = storage
        self._clock = clock
        self._config = config
        self._metrics = metrics
        self._allowed_software = allowed_software
        self._only_enrolled = only_enrolled
        self._meanings = Meanings()
        self._writer = GroupWriter(clock, self._meanings)
        self._partitions = Partitions(storage)
        self._queue: queue.Queue[Received | None] = queue.Queue(_QUEUE_MESSAGES)
        self._stopping = threading.Event()
        self._hooks = IngestHooks(lambda _token: None, lambda: None)
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self, hooks: IngestHooks) -> None:
        """Begins; `hooks` are called from the ingest thread."""
        self._hooks = hooks
        self._thread.start()

    def stop(self) -> None:
        """Ends after the group under way; what waits is not acked and comes again."""
        self._stopping.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            _log.info("ingest stops with a full queue")
        self._thread.join()

    def problem(self) -> str | None:
        """Why nothing is taken; None while it is, or before the start."""
        ended = self._thread.ident is not None and not self._thread.is_alive()
        return "its thread has ended" if ended else None

    def offer(self, received: Received) -> None:
        """Takes a message. The broker's receive maximum keeps the queue far from full; a message
        that finds it full is dropped unconfirmed and comes again from its node."""
        try:
            self._queue.put_nowait(received)
        except queue.Full:
            self._metrics.refused.labels("any", "queue full").inc()
        self._metrics.ingest_waiting.set(self._queue.qsize())

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                group = self._next_group()
                if group:
                    with span("commit group", messages=len(group)):
                        self.take(group)
        except _StoppedError:
            _log.info("ingest stopped while the database did not commit")

    def _next_group(self) -> list[Received]:
        group: list[Received] = []
        size = 0
        first = self._queue.get()
        while first is not None:
            group.append(first)
            size += len(first.payload)
            if len(group) >= self._config.group_messages or size >= self._config.group_bytes:
                break
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                break
        self._metrics.ingest_waiting.set(self._queue.qsize())
        return group

    def take(self, group: Sequence[Received]) -> None:
        """Commits a group, however long the database takes, then confirms its messages."""
        refused: list[Refused] = []
        batches: list[Incoming] = []
        for received in group:
            message = read_message(received)
            if isinstance(message, Refused):
                refused.append(message)
                continue
            self._metrics.batches.labels(message.channel.value).inc()
            if isinstance(message.content, Birth | State):
                refused += self._singly(message, self._take_presence)
            else:
                batches.append(message)
        refused += self._take_batches(batches)
        self._report(refused)
        if self._stopping.is_set():
            return
        for received in group:
            self._hooks.confirm(received.token)
        self._hooks.wake()

    def _take_presence(self, message: Incoming) -> list[Refused]:
        content = message.content
        try:
            with self._storage.write() as conn:
                if not is_last_word(message) and self._senders(conn, {message.node}).unproven:
                    return [without_certificate(message)]
                if isinstance(content, Birth):
                    if content.node == message.node:
                        now_ms = self._clock.now_ms()
                        watch_birth(conn, content, message.payload, now_ms, self._allowed_software)
                    take_birth(conn, self._clock, message.node, content, message.payload)
                elif isinstance(content, State):
                    watch_state(conn, message.node, content, self._clock.now_ms())
                    take_state(conn, self._clock, message.node, content)
        except BadInputError as error:
            return [Refused(message.node, message.channel, error.field, str(error))]
        except MissingError as error:
            return [Refused(None, message.channel, "node", str(error))]
        return []

    def _take_batches(self, batches: Sequence[Incoming]) -> list[Refused]:
        if not batches:
            return []
        try:
            return self._insist(lambda: self._commit(batches))
        except SQLAlchemyError:
            _log.info("a group is committed message by message", messages=len(batches))
            return [refused for one in batches for refused in self._singly(one, self._commit_one)]

    def _singly(
        self, message: Incoming, work: Callable[[Incoming], list[Refused]]
    ) -> list[Refused]:
        """One message on its own: what the database does not take (a NUL in a text) is refused."""
        try:
            return self._insist(lambda: work(message))
        except SQLAlchemyError as error:
            _log.error("the database refuses a message", error=str(error)[:300])
            text = f"the database refuses it: {type(error).__name__}"
            return [Refused(message.node, message.channel, "payload", text)]

    def _commit_one(self, message: Incoming) -> list[Refused]:
        return self._commit([message], apart=True)

    def _commit(self, batches: Sequence[Incoming], *, apart: bool = False) -> list[Refused]:
        times = [
            row.time_ms
            for message in batches
            if isinstance(message.content, TelemetryBatch)
            for row in message.content.rows
        ]
        self._partitions.ensure(times, self._clock.now_ms())
        names = {message.node for message in batches}
        with self._metrics.group_seconds.time(), self._storage.write() as conn:
            senders = self._senders(conn, names)
            unproven = [message for message in batches if message.node in senders.unproven]
            heard = [message for message in batches if message.node not in senders.unproven]
            outcome = self._writer.write(conn, heard, senders.known, apart=apart)
        self._count(outcome)
        return outcome.refused + [without_certificate(message) for message in unproven]

    def _senders(self, conn: Connection, names: set[str]) -> Senders:
        return read_senders(conn, names, only_enrolled=self._only_enrolled)

    def _count(self, outcome: Outcome) -> None:
        self._metrics.rows.labels("telemetry").inc(outcome.telemetry_rows)
        self._metrics.rows.labels("event").inc(outcome.event_rows)
        self._metrics.repeated.inc(outcome.repeated_rows)
        for one in outcome.malformed:
            self._note(one, "a row is kept that cannot be read")

    def _insist(self, work: Callable[[], list[Refused]]) -> list[Refused]:
        """Until the database is there again: a deadlock, a restart, a full disk."""
        attempt = 0
        while True:
            try:
                return work()
            except DBAPIError as error:
                if not passes(error):
                    raise
                if self._stopping.is_set():
                    raise _StoppedError from error
                pause = pause_after(attempt, _PAUSES_S)
                attempt += 1
                _log.warning("the database does not commit", error=str(error.orig)[:200])
                self._stopping.wait(pause)

    def _report(self, refused: Sequence[Refused]) -> None:
        for one in refused:
            self._note(one, "message refused")
            if one.node is not None and one.field != CERTIFICATE:
                self._insist(partial(self._raise_alarm, one))
            self._insist(partial(self._tell_refused, one))

    def _note(self, one: Refused, what: str) -> None:
        self._metrics.refused.labels(one.channel, one.field.split(".", maxsplit=1)[0]).inc()
        _log.warning(what, node=one.node, channel=one.channel, problem=one.text[:300])

    def _tell_refused(self, refused: Refused) -> list[Refused]:
        """The field, not the text: a flood of different nonsense is one event that is counted."""
        with self._storage.write() as conn:
            report(
                conn,
                kind=judge_refused(refused.field, refused.text),
                subject=refused.node or "unknown",
                detail={"channel": refused.channel, "field": refused.field},
                now_ms=self._clock.now_ms(),
            )
        return []

    def _raise_alarm(self, refused: Refused) -> list[Refused]:
        node = str(refused.node)
        with self._storage.write() as conn:
            if conn.scalar(select(nodes.c.name).where(nodes.c.name == node)) is not None:
                code = f"{refused.channel}-refused"
                text = refused.text[:300].replace("\x00", "")
                raise_own_alarm(conn, self._clock, node, code, text)
        return []
