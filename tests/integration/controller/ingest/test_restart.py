"""PostgreSQL stops and comes back while messages come in: nothing is lost, nothing counts twice."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from controller.config import IngestConfig
from controller.ingest.runner import Ingest, IngestHooks
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from controller.storage.tables import events, outbox, telemetry
from shared.messages.ack import Ack, AckedRange
from shared.messages.event import Event, EventKind, Severity
from shared.messages.topics import Channel
from tests.databases import PostgreSql, postgresql_server
from tests.nodes import FakeNode, StillClock, enter_nodes, event_row, power_row

_DEADLINE_S = 120.0
_ROWS = 5
_BEFORE, _WHILE_STOPPED, _AFTER = range(1, 41), range(41, 81), range(81, 121)


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not met():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


class Feed:
    """Offers messages as the broker would, and notes which are confirmed."""

    def __init__(self, ingest: Ingest, node: FakeNode) -> None:
        self._ingest = ingest
        self._node = node
        self._lock = threading.Lock()
        self._confirmed: list[int] = []

    def hooks(self) -> IngestHooks:
        return IngestHooks(self._confirm, lambda: None)

    def _confirm(self, token: int) -> None:
        with self._lock:
            self._confirmed.append(token)

    def confirmed(self) -> list[int]:
        with self._lock:
            return list(self._confirmed)

    def offer(self, number: int) -> None:
        """Batch `number`: five snapshots and one event."""
        rows = [power_row(seq, float(seq)) for seq in telemetry_of(number)]
        batch = self._node.batch(rows).payload
        told = Event(EventKind.AGENT, Severity.INFO, {"what": "started", "number": number})
        event = self._node.events([event_row(number, told)]).payload
        self._ingest.offer(self._node.received(Channel.TELEMETRY, batch, 2 * number))
        self._ingest.offer(self._node.received(Channel.EVENT, event, 2 * number + 1))


def telemetry_of(number: int) -> range:
    return range((number - 1) * _ROWS + 1, number * _ROWS + 1)


@contextmanager
def ingesting(ingest: Ingest, hooks: IngestHooks) -> Iterator[None]:
    ingest.start(hooks)
    try:
        yield
    finally:
        ingest.stop()


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    """A durable server of this test's own: the session's is not for stopping."""
    with postgresql_server(durable=True) as running:
        yield running


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_a_restart_of_the_database_during_ingest_loses_nothing(
    server: PostgreSql, clock: StillClock, how: signal.Signals
) -> None:
    storage = Storage(server.url("postgres"))
    migrate(storage)
    node = FakeNode()
    enter_nodes(storage, clock, node.name)
    ingest = Ingest(storage, clock, IngestConfig(group_messages=3), ControllerMetrics())
    feed = Feed(ingest, node)
    ingest.take([node.born()])
    with ingesting(ingest, feed.hooks()):
        for number in _BEFORE:
            feed.offer(number)
        wait_until(lambda: len(feed.confirmed()) >= 3)
        server.stop(how)
        for number in _WHILE_STOPPED:
            feed.offer(number)
        confirmed = len(feed.confirmed())
        assert confirmed <= 2 * len(_BEFORE), "nothing is confirmed without a database"
        server.start()
        for number in _AFTER:
            feed.offer(number)
        wait_until(lambda: len(feed.confirmed()) >= 2 * _AFTER[-1])
    with storage.read() as conn:
        rows = sorted(conn.scalars(select(telemetry.c.seq)))
        told = sorted(conn.scalars(select(events.c.seq).where(events.c.seq.is_not(None))))
        payloads = list(conn.scalars(select(outbox.c.payload).where(outbox.c.kind == "ack")))
    storage.close()
    last = _AFTER[-1]
    assert rows == list(range(1, last * _ROWS + 1))
    assert told == list(range(1, last + 1))
    assert sorted(feed.confirmed()) == list(range(2, 2 * last + 2))
    ranges = [given for payload in payloads for given in Ack.decode(payload).ranges]
    assert acked(ranges, node.telemetry_stream) == set(rows)
    assert acked(ranges, node.event_stream) == set(told)


def acked(ranges: list[AckedRange], stream: int) -> set[int]:
    return {
        number
        for given in ranges
        if given.stream == stream
        for number in range(given.first, given.last + 1)
    }
