"""The LuxOS driver against its simulator, over real sockets."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.capabilities import OperatingPoint, PowerRange
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceUnreachableError,
    NotSupportedError,
)
from firmware_bridges.miners.cgminer import reply_source
from firmware_bridges.miners.luxos import DRIVER
from firmware_bridges.miners.luxos.device import LuxosMiner
from firmware_bridges.miners.luxos.reading import luxos_reading
from firmware_bridges.miners.luxos.session import SessionBusyError
from firmware_bridges.protocol import Miner
from firmware_bridges.readings import NOT_REPORTED
from firmware_bridges.simulators.luxos import SESSION_S, LuxosPersona, LuxosSimulator
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from shared.measured import Unknown
from shared.setpoints import PowerLimit, Preset, Run, Stop
from tests.integration.drivers.miner_site import FAILURES_ON_4028, cancel_midway

MODEL = MinerModel(
    model="Antminer S19k Pro",
    firmware="2026.1.1.101010-51a17ed",
    serial="SIM0002",
    mac="02:00:00:00:00:02",
    rated=Point(2_800.0, 120.0),
    presets={"290MHz": Point(1_200.0, 60.0), "440MHz": Point(1_900.0, 90.0)},
    chips_per_board=77,
    ramp_s=60.0,
)
GENEROUS_S = 30.0


class Bench:
    """A simulator on a clock that the test turns."""

    def __init__(self, **persona: Any) -> None:
        self.now_s = 1_000.0
        self.script = Script()
        self.miner = SimulatedMiner(MODEL, self.clock)
        own: dict[str, Any] = {"boot_s": 90.0, "session_clock": self.clock}
        self.simulator = LuxosSimulator(self.miner, self.script, LuxosPersona(**(own | persona)))

    def clock(self) -> float:
        return self.now_s

    def open(self, **changes: Any) -> LuxosMiner:
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.simulator.port,
            "deadline_s": GENEROUS_S,
        }
        device = DRIVER.open(DRIVER.settings(**(settings | changes)))
        assert isinstance(device, LuxosMiner)
        return device


@contextlib.asynccontextmanager
async def running(**persona: Any) -> AsyncIterator[Bench]:
    bench = Bench(**persona)
    await bench.simulator.start()
    try:
        yield bench
    finally:
        await bench.simulator.stop()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running() as bench:
        yield bench


async def test_it_is_a_miner(bench: Bench) -> None:
    assert isinstance(bench.open(), Miner)


async def test_captures_read_through_the_socket_are_what_they_are_in_the_files(
    shared_data: Path,
) -> None:
    folder = shared_data / "miners" / "luxminer" / "v1"
    captures = {file.stem: file.read_bytes() for file in folder.glob("*.json")}
    expected = luxos_reading({name: reply_source(raw, name) for name, raw in captures.items()})
    async with running(replay=captures) as bench:
        reading = await bench.open().read()
        points = (await bench.open().capabilities()).presets
    assert reading.boards == expected.boards
    assert reading.faults == expected.faults
    assert reading.pools == expected.pools
    assert reading.identity == expected.identity
    assert reading.power_w == 1051.0
    assert OperatingPoint("290MHz", 1188.0, 59.8) in points


async def test_a_reading_has_what_the_simulated_miner_is(bench: Bench) -> None:
    bench.now_s += 500
    reading = await bench.open().read()
    assert reading.identity.serial == "SIM0002"
    assert reading.identity.firmware == "2026.1.1.101010-51a17ed"
    assert (reading.mining, reading.preset) == (True, "default")
    assert reading.hashrate_ths == pytest.approx(120.0)
    assert reading.power_w == 2_800.0
    assert reading.uptime_s == 500
    assert reading.faults == ()
    assert not isinstance(reading.boards, Unknown)
    assert [board.chips for board in reading.boards] == [77, 77, 77]
    assert [board.chips_expected for board in reading.boards] == [77, 77, 77]


async def test_board_details_come_with_the_first_reading_and_then_rarely(bench: Bench) -> None:
    device = bench.open()
    first, second = await device.read(), await device.read()
    assert not isinstance(first.boards, Unknown)
    assert not isinstance(second.boards, Unknown)
    assert first.boards[0].voltage_v == 13.5
    assert second.boards[0].voltage_v == NOT_REPORTED
    assert second.identity.firmware == first.identity.firmware


async def test_firmware_that_takes_one_command_at_a_time_is_read_too() -> None:
    async with running(joined=False) as bench:
        device = bench.open()
        for _ in range(2):
            reading = await device.read()
            assert reading.hashrate_ths == pytest.approx(120.0)
            assert reading.power_w == 2_800.0


async def test_capabilities_are_the_profiles_the_miner_has(bench: Bench) -> None:
    capabilities = await bench.open().capabilities()
    assert capabilities.presets == (
        OperatingPoint("290MHz", 1_200.0, 60.0),
        OperatingPoint("440MHz", 1_900.0, 90.0),
        OperatingPoint("default", 2_800.0, 120.0),
    )
    assert capabilities.power_limit is None


async def test_a_stop_is_obeyed_with_the_ramp_and_read_back(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Stop())
    bench.now_s += 30
    halfway = await device.read()
    assert halfway.mining is False
    assert halfway.hashrate_ths == pytest.approx(60.0)
    bench.now_s += 31
    reading = await device.read()
    assert reading.hashrate_ths == 0.0
    assert reading.power_w == 45.0
    await device.apply(Run())
    bench.now_s += 61
    assert (await device.read()).hashrate_ths == pytest.approx(120.0)


async def test_a_profile_is_obeyed_and_read_back(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Preset("290MHz"))
    bench.now_s += 61
    reading = await device.read()
    assert (reading.mining, reading.preset) == (True, "290MHz")
    assert reading.power_w == 1_200.0
    assert reading.nominal_hashrate_ths == pytest.approx(60.0)


async def test_a_profile_for_a_sleeping_miner_wakes_it_up_there(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Stop())
    await device.apply(Preset("440MHz"))
    assert bench.simulator.writes == [
        ("curtail", "sleep"),
        ("profileset", "440MHz"),
        ("curtail", "wakeup"),
    ]
    bench.now_s += 61
    assert (await device.read()).power_w == 1_900.0


async def test_run_keeps_the_profile_unless_the_settings_name_one(bench: Bench) -> None:
    await bench.open().apply(Preset("290MHz"))
    await bench.open().apply(Run())
    assert bench.simulator.state.profile == "290MHz"
    await bench.open(run_profile="default").apply(Run())
    assert bench.simulator.state.profile == "default"


async def test_a_miner_that_is_awake_is_not_woken_up(bench: Bench) -> None:
    await bench.open().apply(Run())
    assert bench.simulator.writes == []


async def test_an_unknown_profile_is_refused_before_anything_is_written(bench: Bench) -> None:
    with pytest.raises(NotSupportedError, match="290MHz"):
        await bench.open().apply(Preset("9000MHz"))
    assert bench.simulator.writes == []


async def test_a_profile_is_refused_while_atm_is_on() -> None:
    async with running(atm=True) as bench:
        with pytest.raises(NotSupportedError, match="disable_atm"):
            await bench.open().apply(Preset("290MHz"))
        assert bench.simulator.writes == []
        await bench.open().apply(Stop())  # curtailment does not mind ATM
        assert (await bench.open().read()).mining is False


async def test_with_disable_atm_it_is_turned_off_first() -> None:
    async with running(atm=True) as bench:
        await bench.open(disable_atm=True).apply(Preset("290MHz"))
        assert bench.simulator.writes == [("atmset", "enabled=false"), ("profileset", "290MHz")]
        assert (await bench.open().read()).preset == "290MHz"


async def test_a_session_held_by_another_client_is_busy_and_nothing_is_written(
    bench: Bench,
) -> None:
    bench.simulator.hold_session()
    with pytest.raises(SessionBusyError) as busy:
        await bench.open().apply(Stop())
    assert busy.value.code == 402
    assert bench.miner.mining
    bench.now_s += SESSION_S
    await bench.open().apply(Stop())
    assert not bench.miner.mining


async def test_the_session_is_given_back_after_a_write_and_after_a_refusal(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Stop())
    bench.simulator.state.atm = True
    await device.apply(Run())
    with pytest.raises(NotSupportedError):
        await device.apply(Preset("290MHz"))
    await bench.open().apply(Stop())  # another client logs on at once


async def test_the_devices_own_refusal_is_kept_with_its_code(bench: Bench) -> None:
    turn_atm_on_after_the_drivers_look(bench)
    with pytest.raises(DeviceRefusedError, match="ATM") as refused:
        await bench.open().apply(Preset("290MHz"))
    assert refused.value.code == 400
    await bench.open().apply(Stop())  # the session was given back


def turn_atm_on_after_the_drivers_look(bench: Bench) -> None:
    view = bench.simulator._view
    original = view.read

    def read(command: str, parameter: str) -> Any:
        found = original(command, parameter)
        if command == "atm":  # the last of what the driver looks at
            bench.simulator.state.atm = True
        return found

    view.read = read  # type: ignore[method-assign]  # the moment between look and write


async def test_a_power_target_is_obeyed_where_the_miner_has_one() -> None:
    async with running(power_targeting=True) as bench:
        device = bench.open()
        assert (await device.capabilities()).power_limit == PowerRange(1_200, 2_800)
        await device.apply(PowerLimit(2_000))
        bench.now_s += 61
        reading = await device.read()
        assert reading.power_limit_w == 2_000.0
        assert reading.power_w == 2_000.0
        with pytest.raises(NotSupportedError, match="outside 1200 to 2800"):
            await device.apply(PowerLimit(500))


async def test_a_power_limit_is_refused_where_the_miner_has_none(bench: Bench) -> None:
    with pytest.raises(NotSupportedError, match="takes no power limit"):
        await bench.open().apply(PowerLimit(2_000))
    assert bench.simulator.writes == []


async def test_a_lie_about_success_shows_in_the_next_reading(bench: Bench) -> None:
    device = bench.open()
    bench.script.order(Misbehaviour.LIE)
    await device.apply(Stop())
    assert bench.simulator.writes == [("curtail", "sleep")]
    assert (await device.read()).mining is True


@pytest.mark.parametrize(("misbehaviour", "error"), FAILURES_ON_4028)
async def test_a_miner_that_misbehaves_is_a_typed_error_for_every_method(
    bench: Bench, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    deadline_s = 0.2 if misbehaviour is Misbehaviour.TIMEOUT else GENEROUS_S
    device = bench.open(deadline_s=deadline_s)
    bench.script.order(misbehaviour)
    with pytest.raises(error):
        await device.read()
    with pytest.raises(error):
        await device.capabilities()
    with pytest.raises(error):
        await device.apply(Stop())
    with pytest.raises(error):
        await device.reboot()
    bench.script.clear()
    assert (await bench.open().read()).mining is True


async def test_a_reboot_takes_the_miner_away_and_brings_it_back(bench: Bench) -> None:
    bench.now_s += 500
    device = bench.open()
    await device.reboot()
    with pytest.raises(DeviceUnreachableError):
        await device.read()
    bench.now_s += 95
    assert (await device.read()).uptime_s == 95


async def test_a_miner_without_supply_is_unreachable(bench: Bench) -> None:
    bench.miner.power(on=False)
    with pytest.raises(DeviceUnreachableError):
        await bench.open().read()


async def test_a_cancelled_write_leaves_the_device_usable(bench: Bench) -> None:
    device = bench.open()
    bench.script.order(Misbehaviour.TIMEOUT)
    await cancel_midway(device.apply(Stop()))
    bench.script.clear()
    await device.apply(Stop())
    assert (await device.read()).mining is False
