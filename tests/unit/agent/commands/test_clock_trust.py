"""A clock that was set behind the agent's back is not believed."""

from functools import partial
from pathlib import Path

import pytest

from agent.clock import ClockReading
from agent.commands.clock_trust import (
    ClockTrust,
    HostBoot,
    Trust,
    load_anchor,
    read_boot_id,
    save_anchor,
    step,
)
from agent.database import Database, DatabaseOptions

BOOT = HostBoot("boot-1", 1.0, 0)
START = ClockReading(1_700_000_000_000, 500.0)


def after(seconds: float, jump_ms: int = 0, rate: float = 1.0) -> ClockReading:
    """Both clocks so many real seconds after the start, the wall clock set by `jump_ms` real ms."""
    return ClockReading(
        START.now_ms + round((seconds * 1000 + jump_ms) * rate), START.monotonic_s + seconds
    )


def stepped(reading: ClockReading, synchronised: bool | None = None, rate: float = 1.0) -> Trust:
    return step(Trust(START), reading, rate, lambda: synchronised)


@pytest.mark.parametrize("rate", [1.0, 600.0])
def test_a_clock_that_runs_on_is_trusted_and_its_anchor_moves_on(rate: float) -> None:
    assert stepped(after(60, rate=rate), rate=rate) == Trust(after(60, rate=rate))


@pytest.mark.parametrize("jump_ms", [-86_400_000, -5_000, 5_000, 86_400_000])
@pytest.mark.parametrize("synchronised", [None, False])
def test_a_jump_of_a_clock_nobody_vouches_for_ends_the_trust(
    jump_ms: int, synchronised: bool | None
) -> None:
    assert stepped(after(60, jump_ms), synchronised) == Trust(START, jumped=True)


def test_a_jump_of_a_synchronised_clock_is_a_correction() -> None:
    assert stepped(after(60, 5_000), synchronised=True) == Trust(after(60, 5_000))


def test_trust_returns_when_the_clock_comes_back_or_is_synchronised() -> None:
    lost = stepped(after(60, 5_000))
    assert step(lost, after(120), 1.0, lambda: None) == Trust(after(120))
    assert step(lost, after(120, 5_000), 1.0, lambda: True) == Trust(after(120, 5_000))
    assert step(lost, after(120, 5_000), 1.0, lambda: None).jumped


def test_a_clock_that_is_slewed_for_days_is_no_jump() -> None:
    days_s = 3 * 86_400
    assert not stepped(after(days_s, round(days_s * 0.4))).jumped


class Clocks:
    """Clocks that the test sets."""

    def __init__(self) -> None:
        self.reading = START

    def now_ms(self) -> int:
        return self.reading.now_ms

    def monotonic_s(self) -> float:
        return self.reading.monotonic_s


async def opened(database: Database, clocks: Clocks, boot: HostBoot = BOOT) -> ClockTrust:
    return await ClockTrust.open(database, clocks, boot, lambda: None, tolerance_ms=7)


async def test_a_restart_does_not_forget_a_jump_but_a_reboot_does(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.sqlite", DatabaseOptions(reserve_bytes=4096))
    try:
        clocks = Clocks()
        first = await opened(database, clocks)
        assert first.moment().clock_trusted
        assert first.moment().tolerance_ms == 7
        await first.keep(database)
        clocks.reading = after(10, -3_600_000)
        assert not first.moment().clock_trusted
        await first.keep(database)
        second = await opened(database, clocks)
        assert not second.moment().clock_trusted
        assert second.jumped
        rebooted = await opened(database, clocks, HostBoot("boot-2", 1.0, 0))
        assert rebooted.moment().clock_trusted
    finally:
        await database.close()


async def test_an_anchor_serves_only_its_own_boot_and_scale(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.sqlite", DatabaseOptions(reserve_bytes=4096))
    try:
        await database.write(lambda conn: save_anchor(conn, BOOT, START))
        for boot, found in (
            (BOOT, START),
            (HostBoot("boot-2", 1.0, 0), None),
            (HostBoot("boot-1", 60.0, 0), None),
            (HostBoot("", 1.0, 0), None),
        ):
            assert await database.read(partial(load_anchor, boot=boot)) == found
    finally:
        await database.close()


def test_a_host_that_tells_no_boot_id_has_none(tmp_path: Path) -> None:
    assert read_boot_id(tmp_path / "absent") == ""
    (tmp_path / "boot_id").write_text("b00t\n", encoding="ascii")
    assert read_boot_id(tmp_path / "boot_id") == "b00t"
