"""What retention deletes and what a legal hold keeps, on both databases."""

import pytest
from sqlalchemy import func, insert, select, update

from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.retention.classes import DataClass
from controller.retention.job import RetentionJob
from controller.storage.engine import Storage
from controller.storage.partitions import DAY_MS, list_partitions
from controller.storage.tables import audit_leaves, events, legal_holds, retention, telemetry
from shared.messages.event import Event, EventKind, Severity
from tests.nodes import NOON_MS, FakeNode, StillClock, event_row, power_row

DAYS = (0, 1, 2, 3, 10)


@pytest.fixture
def job(storage: Storage, clock: StillClock) -> RetentionJob:
    return RetentionJob(storage, clock, ControllerMetrics())


@pytest.fixture
def kept_days(storage: Storage, ingest: Ingest, node: FakeNode, clock: StillClock) -> None:
    """One row and one event a day, seen from day 10; telemetry and events are kept 8 days."""
    clock.time_ms = NOON_MS + 10 * DAY_MS
    told = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})
    rows = [power_row(seq, 1.0, NOON_MS + day * DAY_MS) for seq, day in enumerate(DAYS, start=1)]
    tales = [event_row(seq, told, NOON_MS + day * DAY_MS) for seq, day in enumerate(DAYS, start=1)]
    ingest.take([node.born(), node.batch(rows), node.events(tales)])
    with storage.write() as conn:
        conn.execute(update(retention).values(keep_ms=8 * DAY_MS))


def days_left(storage: Storage, table: str) -> list[int]:
    column = telemetry.c.time_ms if table == "telemetry" else events.c.time_ms
    with storage.read() as conn:
        times = conn.scalars(select(column).order_by(column))
        return [(time_ms - NOON_MS) // DAY_MS for time_ms in times]


def hold(storage: Storage, **which: object) -> None:
    with storage.write() as conn:
        conn.execute(
            insert(legal_holds).values(
                reason="case 1", actor="counsel", created_ms=NOON_MS, **which
            )
        )


@pytest.mark.usefixtures("kept_days")
def test_what_is_older_than_its_class_is_kept_goes_and_leaves_a_leaf(
    storage: Storage, job: RetentionJob
) -> None:
    job.round()
    assert days_left(storage, "telemetry") == [2, 3, 10]
    assert days_left(storage, "events") == [2, 3, 10]
    with storage.read() as conn:
        told = set(conn.scalars(select(audit_leaves.c.subject)))
    assert told == {DataClass.TELEMETRY, DataClass.EVENTS}


@pytest.mark.usefixtures("kept_days")
def test_a_hold_keeps_its_node_and_span_until_it_is_released(
    storage: Storage, job: RetentionJob, node: FakeNode
) -> None:
    hold(storage, node=node.name, from_ms=NOON_MS + DAY_MS, to_ms=NOON_MS + 2 * DAY_MS)
    job.round()
    assert days_left(storage, "telemetry") == [1, 2, 3, 10]
    assert days_left(storage, "events") == [1, 2, 3, 10]
    with storage.write() as conn:
        conn.execute(update(legal_holds).values(released_ms=NOON_MS))
    job.round()
    assert days_left(storage, "telemetry") == [2, 3, 10]


@pytest.mark.usefixtures("kept_days")
def test_a_hold_of_one_class_or_another_node_keeps_nothing_else(
    storage: Storage, job: RetentionJob
) -> None:
    hold(storage, data_class=DataClass.EVENTS.value)
    hold(storage, node="site-a-02", data_class=DataClass.TELEMETRY.value)
    job.round()
    assert days_left(storage, "telemetry") == [2, 3, 10]
    assert days_left(storage, "events") == list(DAYS)


@pytest.mark.usefixtures("kept_days")
def test_a_class_kept_for_ever_loses_nothing(storage: Storage, job: RetentionJob) -> None:
    with storage.write() as conn:
        conn.execute(update(retention).values(keep_ms=None))
    job.round()
    assert days_left(storage, "telemetry") == list(DAYS)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("kept_days")
def test_whole_days_go_with_their_partition_on_postgresql(
    storage: Storage, job: RetentionJob
) -> None:
    with storage.read() as conn:
        before = {name for name, _ in list_partitions(conn)}
    job.round()
    with storage.read() as conn:
        after = {name for name, _ in list_partitions(conn)}
        assert conn.scalar(select(func.count()).select_from(telemetry)) == 3
    assert before - after == {"telemetry_20240508", "telemetry_20240509"}
