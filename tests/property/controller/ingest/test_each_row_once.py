"""Any order, repetition and overlap of batches and gap reports gives the same rows and figures."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from controller.config import IngestConfig
from controller.fleet.aggregate import HOUR_MS, MINUTE_MS, QUARTER_MS, from_bytes
from controller.fleet.meaning import Meanings
from controller.fleet.rollups import roll_node
from controller.ingest.inbox import Received
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import metrics, rollups, telemetry
from shared.messages.gap import Bucket
from tests.databases import PostgreSql
from tests.nodes import (
    NOON_MS,
    POWER,
    FakeNode,
    StillClock,
    bucket,
    enter_nodes,
    event_row,
    power_row,
)

ROWS = 60
STEP_MS = 25_000
NODE = FakeNode()
TEMPLATE = "bes_template"


def row_time(seq: int) -> int:
    return NOON_MS + seq * STEP_MS


def row_power(seq: int) -> float:
    return float(1_000 + seq * seq % 97)


def batch(numbers: list[int]) -> Received:
    return NODE.batch([power_row(seq, row_power(seq), row_time(seq)) for seq in numbers])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Received], set[int], tuple[int, int] | None]:
    """Messages in any order, the numbers they bring, and the reported range."""
    spans = st.tuples(st.integers(1, ROWS), st.integers(0, 20))
    runs = draw(st.lists(spans, min_size=1, max_size=6))
    numbers = [list(range(first, min(first + more, ROWS) + 1)) for first, more in runs]
    messages = [batch(draw(st.permutations(some))) for some in numbers]
    messages += draw(st.lists(st.sampled_from(messages), max_size=4))
    gap = draw(st.none() | st.tuples(st.integers(1, ROWS), st.integers(0, 15)))
    reported = None
    if gap is not None:
        reported = (gap[0], min(gap[0] + gap[1], ROWS))
        report = NODE.events([event_row(1, NODE.gap(*reported, gap_buckets(reported)))])
        messages += [report] * draw(st.integers(1, 2))
    return draw(st.permutations(messages)), {n for some in numbers for n in some}, reported


def gap_buckets(reported: tuple[int, int]) -> list[Bucket]:
    minutes: dict[int, list[float]] = {}
    for seq in range(reported[0], reported[1] + 1):
        start_ms = row_time(seq) - row_time(seq) % MINUTE_MS
        minutes.setdefault(start_ms, []).append(500.0)
    return [bucket(500.0, len(values), start_ms) for start_ms, values in minutes.items()]


@contextmanager
def fresh(request: pytest.FixtureRequest, kind: str) -> Iterator[Storage]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "controller.db"
            shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
            storage = Storage(f"sqlite:///{path}")
            yield storage
            storage.close()
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    name = server.create(TEMPLATE)
    storage = Storage(server.url(name))
    yield storage
    storage.close()
    server.drop(name)


def expected(
    numbers: set[int], reported: tuple[int, int] | None, width: int
) -> dict[int, tuple[int, float]]:
    """(count, sum) of power by bucket, computed from what was sent and nothing else."""
    values = [(row_time(n), row_power(n)) for n in numbers]
    if reported is not None:
        inside = range(reported[0], reported[1] + 1)
        values = [(row_time(n), row_power(n)) for n in numbers if n not in inside]
        values += [(row_time(n), 500.0) for n in inside]
    sums: dict[int, tuple[int, float]] = {}
    for time_ms, power_w in values:
        count, total = sums.get(time_ms - time_ms % width, (0, 0.0))
        sums[time_ms - time_ms % width] = (count + 1, total + power_w)
    return sums


def stored(storage: Storage, width: int) -> dict[int, tuple[int, float]]:
    with storage.read() as conn:
        power = conn.execute(select(metrics.c.id).where(metrics.c.name == POWER.name)).scalar_one()
        query = select(rollups.c.start_ms, rollups.c.body).where(rollups.c.width_ms == width)
        found = {start_ms: from_bytes(body)[power] for start_ms, body in conn.execute(query)}
    return {start_ms: (a.count, a.total) for start_ms, a in found.items()}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@given(history=histories(), roll_often=st.booleans())
def test_each_row_is_stored_once_and_rollups_equal_a_recomputation(
    request: pytest.FixtureRequest,
    kind: str,
    history: tuple[list[Received], set[int], tuple[int, int] | None],
    roll_often: bool,
) -> None:
    messages, numbers, reported = history
    clock = StillClock()
    with fresh(request, kind) as storage:
        enter_nodes(storage, clock, NODE.name)
        ingest = Ingest(storage, clock, IngestConfig(), ControllerMetrics())
        ingest.take([NODE.born()])
        for message in messages:
            ingest.take([message])
            if roll_often:
                roll(storage, clock)
        roll(storage, clock)
        with storage.read() as conn:
            assert sorted(conn.scalars(select(telemetry.c.seq))) == sorted(numbers)
        for width in (MINUTE_MS, QUARTER_MS, HOUR_MS):
            assert stored(storage, width) == expected(numbers, reported, width)


def roll(storage: Storage, clock: StillClock) -> None:
    with storage.write() as conn:
        roll_node(conn, clock, Meanings(), NODE.name)


def test_rows_in_one_group_or_in_many_come_to_the_same(storage: Storage) -> None:
    clock = StillClock()
    enter_nodes(storage, clock, NODE.name)
    ingest = Ingest(storage, clock, IngestConfig(), ControllerMetrics())
    some = [batch(list(range(first, first + 10))) for first in (31, 1, 26, 1, 11)]
    ingest.take([NODE.born(), *some, stray_message()])
    with storage.read() as conn:
        assert sorted(conn.scalars(select(telemetry.c.seq))) == [*range(1, 21), *range(26, 41)]


def stray_message() -> Received:
    """A message of no channel: it must not disturb its group."""
    return Received(f"bes/1/{NODE.name}/{uuid.uuid4().hex}", b"")
