"""Meters over real sockets and pseudo-terminals."""

import time
from collections.abc import Callable

import pytest

from firmware_bridges.errors import DeviceRefusedError
from firmware_bridges.metrics import plant_metrics
from firmware_bridges.modbus import METER
from firmware_bridges.readings import PlantReading
from firmware_bridges.simulators.plant import ElectricalLoad, Pm5000, Sdm630, SunSpecMeter
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from shared.measured import Measured, Reason, Unknown
from tests.integration.plant.site import opened, reachable

MAPS: dict[str, Callable[[ElectricalLoad], SimulatedSlave]] = {
    "eastron_sdm630": Sdm630,
    "schneider_pm5000": Pm5000,
    "sunspec_meter": SunSpecMeter,
}


def load(power_w: float, import_wh: float = 5_000.0) -> ElectricalLoad:
    return ElectricalLoad(lambda: power_w, time.monotonic, import_wh=import_wh)


def number(value: Measured[float]) -> float:
    assert not isinstance(value, Unknown), value
    return value


def reason(value: object) -> Reason:
    assert isinstance(value, Unknown)
    return value.reason


def assert_shows(reading: PlantReading, power_w: float, phases: int = 3) -> None:
    assert number(reading.power_w) == pytest.approx(power_w, rel=0.002)
    assert number(reading.apparent_power_va) == pytest.approx(power_w / 0.98, rel=0.002)
    assert number(reading.reactive_power_var) == pytest.approx(power_w * 0.203, rel=0.01)
    assert number(reading.power_factor) == pytest.approx(0.98, rel=0.002)
    assert number(reading.frequency_hz) == pytest.approx(60.0, rel=0.002)
    assert number(reading.energy_import_wh) == pytest.approx(5_000.0, rel=0.2)
    for phase in reading.phases[:phases]:
        assert number(phase.voltage_v) == pytest.approx(240.0, rel=0.002)
        assert number(phase.power_w) == pytest.approx(power_w / phases, rel=0.002)
        current = power_w / 0.98 / phases / 240.0
        assert number(phase.current_a) == pytest.approx(current, rel=0.01)


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("power_w", [12_000.0, 84_000.0])
async def test_every_quantity_is_read(transport: str, name: str, power_w: float) -> None:
    slaves = {17: MAPS[name](load(power_w))}
    async with (
        reachable(transport, slaves) as where,
        opened(METER, map=name, unit=17, **where) as meter,
    ):
        assert_shows(await meter.read(), power_w)


@pytest.mark.parametrize(("model", "phases"), [(201, 1), (202, 2), (203, 3), (204, 3)])
@pytest.mark.parametrize("base", [40_000, 50_000, 0])
async def test_every_sunspec_meter_model_is_found_and_read(
    model: int, phases: int, base: int
) -> None:
    slaves = {1: SunSpecMeter(load(30_000.0), model=model, base=base)}
    async with (
        reachable("tcp", slaves) as where,
        opened(METER, map="sunspec_meter", unit=1, **where) as meter,
    ):
        reading = await meter.read()
    assert_shows(reading, 30_000.0, phases)
    for phase in reading.phases[phases:]:
        assert reason(phase.power_w) is Reason.NOT_REPORTED
        assert reason(phase.voltage_v) is Reason.NOT_REPORTED
    assert reading.identity.model == f"SIM-{model}"
    assert reading.identity.firmware == "2.4.1"
    assert reading.identity.serial == "SN-000731"


async def test_a_sunspec_meter_that_was_exchanged_is_found_anew() -> None:
    slaves: dict[int, SimulatedSlave] = {1: SunSpecMeter(load(30_000.0), model=203)}
    async with (
        reachable("tcp", slaves) as where,
        opened(METER, map="sunspec_meter", unit=1, **where) as meter,
    ):
        await meter.read()
        slaves[1] = SunSpecMeter(load(20_000.0), model=204)
        assert reason((await meter.read()).power_w) is Reason.MALFORMED
        reading = await meter.read()
    assert reading.identity.model == "SIM-204"
    assert number(reading.power_w) == pytest.approx(20_000.0, rel=0.002)


async def test_a_device_that_is_not_sunspec_says_so() -> None:
    async with (
        reachable("tcp", {1: Pm5000(load(1_000.0))}) as where,
        opened(METER, map="sunspec_meter", unit=1, **where) as meter,
    ):
        with pytest.raises(DeviceRefusedError, match="illegal data address"):
            await meter.read()


async def test_identity_is_read_once() -> None:
    slave = Pm5000(load(1_000.0))
    async with (
        reachable("rtu", {1: slave}) as where,
        opened(METER, map="schneider_pm5000", unit=1, **where) as meter,
    ):
        first = await meter.read()
        assert slave.requests == 5
        second = await meter.read()
        assert slave.requests == 8
    assert first.identity == second.identity
    assert first.identity.model == "PM5560"
    assert first.identity.serial == "1801234567"


async def test_a_meter_shows_the_sum_of_its_miners_as_it_changes() -> None:
    miners = [3_400.0, 3_250.0, 2_980.0]
    total = ElectricalLoad(lambda: sum(miners), time.monotonic)
    async with (
        reachable("rtu", {2: Sdm630(total)}) as where,
        opened(METER, map="eastron_sdm630", unit=2, **where) as meter,
    ):
        assert number((await meter.read()).power_w) == pytest.approx(9_630.0)
        miners[1] = 0.0
        assert number((await meter.read()).power_w) == pytest.approx(6_380.0)


async def test_meters_of_all_kinds_share_a_line() -> None:
    slaves: dict[int, SimulatedSlave] = {
        unit: make(load(1_000.0 * unit)) for unit, make in enumerate(MAPS.values(), start=1)
    }
    async with reachable("rtu", slaves) as where:
        for unit, name in enumerate(MAPS, start=1):
            async with opened(METER, map=name, unit=unit, **where) as meter:
                reading = await meter.read()
                assert number(reading.power_w) == pytest.approx(1_000.0 * unit, rel=0.002)


@pytest.mark.parametrize("name", MAPS)
async def test_capabilities_name_what_the_reading_has(name: str) -> None:
    async with (
        reachable("tcp", {1: MAPS[name](load(9_000.0))}) as where,
        opened(METER, map=name, unit=1, **where) as meter,
    ):
        capabilities = await meter.capabilities()
        reading = await meter.read()
    assert capabilities.outlets == ()
    assert set(capabilities.metrics) <= {metric.name for metric, _ in plant_metrics(reading)}
    assert "power_w" in capabilities.metrics
