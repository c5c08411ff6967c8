"""Snapshots and events on their way in."""

import asyncio
import sqlite3

import pytest

from agent.buffer import rows
from agent.database import Database
from agent.recorder import DeviceDescription, Recorder
from firmware_bridges.metrics import Metric
from shared.errors import BadInputError
from shared.measured import Reason, Scalar, Unknown
from shared.messages.birth import Birth, MetricType
from shared.messages.event import Event, EventKind, Severity
from shared.messages.telemetry import decode_body
from tests.agents import HASHRATE, IDENTITY, MINERS, NOON_MS, POWER, SetClock, count

STARTED = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})
MINING = Metric("mining", "", MetricType.BOOL)
PRESET = Metric("preset", "", MetricType.TEXT)
CHIPS = Metric("chips", "", MetricType.INT)


async def _birth(database: Database) -> Birth:
    found = await database.read(rows.current_birth)
    assert found is not None
    return Birth.decode(found[1])


async def _named(database: Database) -> list[dict[str, Scalar | Unknown]]:
    """Every kept row with its aliases resolved by the very birth it names."""

    def read(connection: sqlite3.Connection) -> list[dict[str, Scalar | Unknown]]:
        named = []
        for number, row in rows.telemetry_in(connection, [(1, 2**62)], 1_000):
            birth = Birth.decode(rows.births(connection, [number])[number])
            names = {m.alias: m.name for m in birth.metrics}
            device = {d.alias: d.name for d in birth.devices}[row.device]
            values = {names[alias]: value for alias, value in decode_body(row.body).items()}
            named.append({"device": device, "time_ms": row.time_ms, **values})
        return named

    return await database.read(read)


async def test_a_snapshot_is_kept_with_names_that_its_birth_explains(
    database: Database, recorder: Recorder
) -> None:
    timeout = Unknown(Reason.TIMEOUT)
    assert await recorder.snapshot(
        "miner-1", NOON_MS, [(POWER, 3250.5), (HASHRATE, timeout), (MINING, True), (PRESET, "eco")]
    )
    assert await recorder.snapshot("miner-2", NOON_MS + 1, [(POWER, 0.0)])
    assert await _named(database) == [
        {
            "device": "miner-1",
            "time_ms": NOON_MS,
            "power_w": 3250.5,
            "hashrate_ths": timeout,
            "mining": True,
            "preset": "eco",
        },
        {"device": "miner-2", "time_ms": NOON_MS + 1, "power_w": 0.0},
    ]


async def test_what_a_device_does_not_report_is_absent(
    database: Database, recorder: Recorder
) -> None:
    absent = Unknown(Reason.NOT_REPORTED)
    await recorder.snapshot("miner-0", NOON_MS, [(POWER, 1.0), (HASHRATE, absent)])
    assert "hashrate_ths" not in (await _named(database))[0]
    assert [m.name for m in (await _birth(database)).metrics] == ["power_w"]


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        (POWER, float("nan"), Reason.OUT_OF_RANGE),
        (POWER, float("inf"), Reason.OUT_OF_RANGE),
        (CHIPS, 2**63, Reason.OUT_OF_RANGE),
        (POWER, "3250", Reason.MALFORMED),
        (POWER, True, Reason.MALFORMED),
        (MINING, 1, Reason.MALFORMED),
        (CHIPS, 1.5, Reason.MALFORMED),
        (PRESET, 7, Reason.MALFORMED),
    ],
)
async def test_a_value_that_is_not_of_its_type_is_unknown_and_never_coerced(
    database: Database, recorder: Recorder, metric: Metric, value: Scalar, reason: Reason
) -> None:
    await recorder.snapshot("miner-0", NOON_MS, [(metric, value)])
    assert (await _named(database))[0][metric.name] == Unknown(reason)


async def test_new_names_make_a_new_birth_and_known_ones_do_not(
    database: Database, recorder: Recorder
) -> None:
    first = recorder.birth
    await recorder.snapshot("miner-0", NOON_MS, [(POWER, 1.0)])
    second = recorder.birth
    await recorder.snapshot("miner-1", NOON_MS, [(POWER, 2.0)])
    assert first < second == recorder.birth
    await recorder.declare(MINERS)
    await recorder.set_hashes({})
    assert recorder.birth == second, "nothing was new"
    await recorder.set_hashes({"price": "ab" * 32})
    assert (await _birth(database)).hashes == {"price": "ab" * 32}
    assert recorder.birth > second


async def test_names_that_appear_at_once_share_a_birth(recorder: Recorder) -> None:
    before = recorder.birth
    metrics = [Metric(f"board.{n}.chips", "", MetricType.INT) for n in range(40)]
    await asyncio.gather(*[recorder.snapshot("miner-0", NOON_MS, [(m, 1)]) for m in metrics])
    assert recorder.birth - before <= 2


async def test_a_metric_whose_type_changes_gets_another_alias(
    database: Database, recorder: Recorder
) -> None:
    as_text = Metric("power_w", "W", MetricType.TEXT)
    await recorder.snapshot("miner-0", NOON_MS, [(POWER, 5.0)])
    before = await _birth(database)
    await recorder.snapshot("miner-0", NOON_MS, [(as_text, "five")])
    after = await _birth(database)
    assert [m.alias for m in before.metrics] != [m.alias for m in after.metrics]
    assert [row["power_w"] for row in await _named(database)] == [5.0, "five"]


async def test_aliases_survive_a_restart_under_a_new_birth(
    database: Database, recorder: Recorder
) -> None:
    await recorder.snapshot("miner-0", NOON_MS, [(POWER, 5.0)])
    before = await _birth(database)
    again = await Recorder.open(database, SetClock(), IDENTITY)
    await again.declare([*MINERS, DeviceDescription("meter", "meter", "modbus", {"model": "X"})])
    after = await _birth(database)
    assert after.number > before.number
    assert set(before.metrics) <= set(after.metrics)
    assert [d for d in after.devices if d.name != "meter"] == list(before.devices)
    assert {d.name: d.facts for d in after.devices}["meter"] == {"model": "X"}


async def test_refused_snapshots_change_nothing(database: Database, recorder: Recorder) -> None:
    with pytest.raises(BadInputError, match="device"):
        await recorder.snapshot("stranger", NOON_MS, [(POWER, 1.0)])
    with pytest.raises(BadInputError, match="time_ms"):
        await recorder.snapshot("miner-0", -1, [(POWER, 1.0)])
    with pytest.raises(BadInputError, match="metrics"):
        await recorder.snapshot("miner-0", NOON_MS, [(PRESET, "x" * 20_000)])
    with pytest.raises(BadInputError, match=r"device\.name"):
        await recorder.declare([MINERS[0], MINERS[0]])
    assert await _named(database) == []
    assert recorder.accepted == 0


async def test_an_event_has_its_number_once_it_is_committed(
    database: Database, recorder: Recorder
) -> None:
    assert await recorder.event(STARTED) == 1
    assert await recorder.event(STARTED, NOON_MS + 5) == 2
    kept = await database.read(lambda c: rows.events_in(c, [(1, 9)], 9))
    assert [row.time_ms for row in kept] == [NOON_MS, NOON_MS + 5]
    assert [Event.decode(row.body) for row in kept] == [STARTED, STARTED]


async def test_an_event_commits_or_not_with_what_it_tells_of(
    database: Database, recorder: Recorder
) -> None:
    def tell(connection: sqlite3.Connection, *, fail: bool) -> int:
        connection.execute("INSERT INTO meta VALUES ('mode', 'safe')")
        seq = recorder.event_in(connection, STARTED, NOON_MS)
        if fail:
            raise LookupError("thought better of it")
        return seq

    with pytest.raises(LookupError):
        await database.write(lambda c: tell(c, fail=True))
    assert await database.read(lambda c: count(c, "event")) == 0
    assert await database.write(lambda c: tell(c, fail=False)) == 1
    assert await database.read(lambda c: count(c, "meta")) == 1


async def test_a_thousand_devices_with_facts_still_fit_a_birth(
    database: Database, recorder: Recorder
) -> None:
    facts = {"serial": "S" * 200, "firmware": "F" * 200}
    await recorder.declare([DeviceDescription(f"m{n}", "miner", "x", facts) for n in range(1_000)])
    birth = await _birth(database)
    assert len(birth.devices) == 1_000
    assert birth.devices[0].facts == {}, "left out, because it would be too large with them"
