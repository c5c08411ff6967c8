"""The clock, and telling that it was set."""

import asyncio
from pathlib import Path

import pytest

from agent.clock import ClockReading, SystemClock, clock_jump_ms, read_clocks
from agent.clock_sync import ClockSync, judge, read_clock_sync
from agent.clock_watch import watch_clock
from agent.database import Database
from agent.recorder import Recorder
from shared.messages.event import Event, EventKind
from shared.time import TimeScale
from tests.agents import IDENTITY, NOON_MS, SetClock, eventually


def test_business_time_runs_through_the_scale() -> None:
    real = SystemClock()
    scaled = SystemClock(TimeScale(real.now_ms(), NOON_MS, 1_000.0))
    first = scaled.now_ms()
    assert NOON_MS <= first < NOON_MS + 1_000 * 3_600_000
    assert abs(real.now_ms() - first) > 3_600_000
    assert real.monotonic_s() <= real.monotonic_s()


@pytest.mark.parametrize(
    ("wall_ms", "ran_s", "rate", "jump_ms"),
    [
        (10_000, 10.0, 1.0, None),
        (10_900, 10.0, 1.0, None),
        (13_600_000, 10.0, 1.0, 13_590_000),
        (-50_000, 10.0, 1.0, -60_000),
        (600_000, 10.0, 60.0, None),
        (960_000, 10.0, 60.0, 6_000),
    ],
)
def test_a_step_of_the_wall_clock_is_told_from_its_running(
    wall_ms: int, ran_s: float, rate: float, jump_ms: int | None
) -> None:
    before = ClockReading(NOON_MS, 100.0)
    after = ClockReading(NOON_MS + wall_ms, 100.0 + ran_s)
    assert clock_jump_ms(before, after, rate) == jump_ms


def test_a_reading_during_which_the_process_was_held_up_is_not_used() -> None:
    class Held(SetClock):
        def monotonic_s(self) -> float:
            self.running_s += 5.0
            return self.running_s

    assert read_clocks(Held()) is None
    assert read_clocks(SetClock()) == ClockReading(NOON_MS, 1_000.0)


async def test_a_jump_becomes_an_event(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "agent.db")
    clock = SetClock()
    recorder = await Recorder.open(database, clock, IDENTITY)
    watching = asyncio.create_task(watch_clock(clock, recorder, every_s=0.01))
    await asyncio.sleep(0.05)
    assert database.last_seqs["event"] == 0
    clock.wall_ms -= 7_200_000
    await eventually(lambda: database.last_seqs["event"])
    watching.cancel()
    body = await database.read(lambda c: c.execute("SELECT body FROM event").fetchone()[0])
    event = Event.decode(body)
    assert event.kind is EventKind.AGENT
    assert dict(event.data) == {"what": "clock_jump", "by_ms": -7_200_000}
    await database.close()


@pytest.mark.parametrize(
    ("state", "status", "maxerror_us", "expected"),
    [
        (0, 0x2001, 12_001, ClockSync(True, 13)),
        (5, 0x0040, 16_000_000, ClockSync(False)),
        (0, 0x0040, 500, ClockSync(False)),
        (1, 0, 0, ClockSync(True, 0)),
    ],
)
def test_what_the_kernel_says_of_its_clock(
    state: int, status: int, maxerror_us: int, expected: ClockSync
) -> None:
    assert judge(state, status, maxerror_us) == expected


def test_a_clock_that_nothing_is_known_of_is_unknown_and_not_synchronised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Refusing:
        def adjtimex(self, _: object) -> int:
            return -1

    monkeypatch.setattr("ctypes.CDLL", lambda _: Refusing())
    flag = tmp_path / "synchronized"
    assert read_clock_sync(flag) == ClockSync(None)
    flag.touch()
    assert read_clock_sync(flag) == ClockSync(True)
