"""Two replicas on one PostgreSQL database at once; on SQLite two threads of one process."""

import threading
from collections.abc import Callable

from sqlalchemy import func, select

from controller.changes import ChangeKind, changes_after
from controller.config import IngestConfig
from controller.fleet.aggregate import HOUR_MS, from_bytes
from controller.fleet.meaning import Meanings
from controller.fleet.rollups import roll_node, unrolled_nodes
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import gaps, rollups, streams, telemetry
from tests.nodes import FakeNode, StillClock, bucket, event_row, power_row

BATCHES = 20
ROWS = 10
PATIENCE_S = 120.0


def together(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


def test_the_same_rows_through_two_replicas_at_once_count_once(
    storage: Storage, node: FakeNode, clock: StillClock
) -> None:
    messages = [
        node.batch([power_row(seq, 100.0) for seq in range(first, first + ROWS)])
        for first in range(1, BATCHES * ROWS, ROWS)
    ]
    report = node.events([event_row(1, node.gap(1, 5, [bucket(7.0, 5)]))])
    replicas = [Ingest(storage, clock, IngestConfig(), ControllerMetrics()) for _ in range(2)]
    replicas[0].take([node.born()])

    def take_all(ingest: Ingest, *, backwards: bool) -> None:
        for message in reversed(messages) if backwards else messages:
            ingest.take([message, report, node.state(online=True)])

    done = threading.Event()

    def roll() -> None:
        while not done.is_set():
            roll_all(storage, clock)

    roller = threading.Thread(target=roll, daemon=True)
    roller.start()
    together(
        lambda: take_all(replicas[0], backwards=False),
        lambda: take_all(replicas[1], backwards=True),
    )
    done.set()
    roller.join(PATIENCE_S)
    roll_all(storage, clock)
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(telemetry)) == BATCHES * ROWS
        kept = select(streams.c.rows).where(streams.c.id == node.telemetry_stream)
        assert conn.scalar(kept) == BATCHES * ROWS
        assert conn.scalar(select(func.count()).select_from(gaps)) == 1
        hour = conn.execute(select(rollups.c.body).where(rollups.c.width_ms == HOUR_MS)).one()
        (power,) = from_bytes(hour.body).values()
        told = changes_after(conn, 0)
    assert (power.count, power.total) == (BATCHES * ROWS, (BATCHES * ROWS - 5) * 100.0 + 5 * 7.0)
    new_rows = [int(c.subject) for c in told if c.kind is ChangeKind.TELEMETRY]
    assert sum(new_rows) == BATCHES * ROWS


def roll_all(storage: Storage, clock: StillClock) -> None:
    with storage.read() as conn:
        waiting = unrolled_nodes(conn)
    for name in waiting:
        with storage.write() as conn:
            roll_node(conn, clock, Meanings(), name)
