"""The disk budget: old telemetry becomes gap reports, events stay, pages are used again."""

import random
import sqlite3

from agent.buffer import rows
from agent.buffer.aggregates import ReportLimits, report_on
from agent.buffer.keeper import Keeper
from agent.buffer.thinning import commit_report, find_run
from agent.database import Database
from agent.recorder import Recorder
from firmware_bridges.metrics import Metric
from shared.messages.birth import MetricType
from shared.messages.event import Event, EventKind, Severity
from shared.messages.gap import Gap
from tests.agents import NOON_MS, SetClock, count

METRICS = [Metric(f"board.{n}.temperature_c", "°C", MetricType.FLOAT) for n in range(20)]
BUDGET = 1_500_000
STARTED = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})


async def _record(recorder: Recorder, first: int, count: int) -> None:
    chance = random.Random(first)
    for n in range(first, first + count):
        values = [(metric, round(chance.gauss(60.0, 5.0), 1)) for metric in METRICS]
        await recorder.snapshot(f"miner-{n % 3}", NOON_MS + n * 2_000, values)


async def _gaps(database: Database) -> list[Gap]:
    kept = await database.read(lambda c: rows.events_in(c, [(1, 2**62)], 10_000))
    events = [Event.decode(row.body) for row in kept]
    return [Gap.from_data(e.data) for e in events if e.kind is EventKind.GAP]


async def test_the_budget_holds_while_rows_keep_coming(
    database: Database, recorder: Recorder
) -> None:
    keeper = Keeper(database, recorder, SetClock(), BUDGET)
    assert await recorder.event(STARTED) == 1
    most = 0
    for batch in range(12):
        await _record(recorder, batch * 1_000, 1_000)
        await keeper.look()
        most = max(most, (await database.usage()).used_bytes)
    assert most <= BUDGET
    assert keeper.status.rows_thinned > 6_000
    gaps = await _gaps(database)
    kept = await database.read(lambda c: rows.telemetry_in(c, [(1, 2**62)], 20_000))
    named = [seq for gap in gaps for seq in range(gap.first, gap.last + 1)]
    assert sorted([*named, *(row.seq for _, row in kept)]) == list(range(1, 12_001))
    assert max(named) < min(row.seq for _, row in kept), "the oldest detail goes first"
    first = await database.read(lambda c: rows.events_in(c, [(1, 1)], 1))
    assert Event.decode(first[0].body) == STARTED, "events are never dropped"


async def test_a_report_covers_one_birth_and_one_unbroken_run(
    database: Database, recorder: Recorder
) -> None:
    await _record(recorder, 0, 400)
    old = recorder.birth
    await recorder.set_hashes({"policy": "00" * 32})
    await _record(recorder, 400, 400)
    await database.write(lambda c: rows.delete(c, "telemetry", 1, 50, 100))
    await database.write(lambda c: rows.delete(c, "telemetry", 300, 310, 100))
    run = await database.read(find_run)
    assert run is not None
    assert run.birth.number == old
    assert (run.rows[0].seq, run.rows[-1].seq) == (51, 299)


async def test_a_report_on_rows_that_were_acked_meanwhile_changes_nothing(
    database: Database, recorder: Recorder
) -> None:
    await _record(recorder, 0, 400)
    run = await database.read(find_run)
    assert run is not None
    report = report_on(database.streams["telemetry"], run.birth, run.rows, ReportLimits())
    assert report is not None
    await database.write(lambda c: rows.delete(c, "telemetry", 7, 7, 1))
    assert await database.write(lambda c: commit_report(c, report, NOON_MS)) is None
    assert await database.read(lambda c: count(c, "telemetry")) == 399
    assert await database.read(lambda c: count(c, "event")) == 0


async def test_a_birth_is_kept_while_a_row_or_a_report_names_it(
    database: Database, recorder: Recorder
) -> None:
    await _record(recorder, 0, 400)
    old = recorder.birth
    await recorder.set_hashes({"policy": "00" * 32})
    keeper = Keeper(database, recorder, SetClock(), budget_bytes=1)
    await keeper.look()
    gaps = await _gaps(database)
    assert {gap.birth for gap in gaps} == {old}
    await database.write(lambda c: rows.delete(c, "telemetry", 1, 400, 400))

    def births(connection: sqlite3.Connection) -> list[int]:
        return sorted(number for (number,) in connection.execute("SELECT number FROM births"))

    assert await database.read(births) == [old, recorder.birth]
    last = database.last_seqs["event"]
    await database.write(lambda c: rows.delete(c, "event", 1, last, 1_000))
    assert await database.read(births) == [recorder.birth]
