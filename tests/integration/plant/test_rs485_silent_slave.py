"""A slave that hangs on one of two RS-485 lines costs its neighbours at most one deadline.

Two pseudo-terminals with ten meters each; on the first line the meter that is asked first is
silent, the worst place for the nine behind it. Run with -s for the figures.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.modbus import METER
from firmware_bridges.protocol import PlantDevice
from firmware_bridges.readings import PlantReading
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from firmware_bridges.simulators.plant import ElectricalLoad, RtuLine, Sdm630
from tests.integration.plant.site import PATIENT_S, opened

DEADLINE_S = 2.0
SLAVES = 10
SILENT = 1
ROUNDS = 4
Outcome = PlantReading | DeviceTimeoutError


@dataclass(frozen=True, slots=True)
class Cycle:
    """One polling cycle of a line: what each unit gave, and when the last neighbour was done."""

    outcomes: dict[int, Outcome]
    neighbours_done_s: float


@dataclass(frozen=True, slots=True)
class Bus:
    """Ten simulated meters and the line they are on."""

    meters: dict[int, Sdm630]
    line: RtuLine

    def requests(self) -> dict[int, int]:
        """How many requests each meter has seen on the wire."""
        return {unit: meter.requests for unit, meter in self.meters.items()}


def meter_of(power_w: float) -> Sdm630:
    return Sdm630(ElectricalLoad(lambda: power_w, time.monotonic))


def new_bus() -> Bus:
    meters = {unit: meter_of(1_000.0 * unit) for unit in range(1, SLAVES + 1)}
    return Bus(meters, RtuLine(meters))


async def poll(devices: dict[int, PlantDevice]) -> Cycle:
    """Polls every device of a line at once, as the agent's coordinators may."""
    began_s = time.monotonic()
    done_s: dict[int, float] = {}

    async def read(unit: int, device: PlantDevice) -> Outcome:
        try:
            return await device.read()
        except DeviceTimeoutError as error:
            return error
        finally:
            done_s[unit] = time.monotonic() - began_s

    results = await asyncio.gather(*(read(unit, device) for unit, device in devices.items()))
    latest = max(at for unit, at in done_s.items() if unit != SILENT)
    return Cycle(dict(zip(devices, results, strict=True)), latest)


async def devices_on(bus: Bus, stack: AsyncExitStack) -> dict[int, PlantDevice]:
    """Fresh drivers, which remember no silence; only the silent meter's deadline can pass."""
    return {
        unit: await stack.enter_async_context(
            opened(
                METER,
                map="eastron_sdm630",
                unit=unit,
                serial_port=bus.line.path,
                deadline_s=DEADLINE_S if unit == SILENT else PATIENT_S,
            )
        )
        for unit in bus.meters
    }


async def one_round(first: Bus, second: Bus) -> tuple[Cycle, Cycle]:
    """A cycle of both lines at once."""
    async with AsyncExitStack() as stack:
        lines = [await devices_on(bus, stack) for bus in (first, second)]
        one, two = await asyncio.gather(*(poll(devices) for devices in lines))
        return one, two


def assert_all_read(cycle: Cycle, besides: set[int]) -> None:
    for unit, outcome in cycle.outcomes.items():
        if unit not in besides:
            assert isinstance(outcome, PlantReading)
            assert outcome.power_w == 1_000.0 * unit


async def test_a_silent_slave_costs_its_neighbours_at_most_one_deadline() -> None:
    first, second = new_bus(), new_bus()
    await first.line.start()
    await second.line.start()
    healthy = [await one_round(first, second) for _ in range(2)]
    usual_s = [min(cycles[line].neighbours_done_s for cycles in healthy) for line in (0, 1)]
    first.meters[SILENT].script.order(Misbehaviour.TIMEOUT)
    late_s: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        before = first.requests()
        one, two = await one_round(first, second)
        assert isinstance(one.outcomes[SILENT], DeviceTimeoutError)
        assert_all_read(one, besides={SILENT})
        assert_all_read(two, besides=set())
        asked = {unit: count - before[unit] for unit, count in first.requests().items()}
        assert asked == {unit: 1 if unit == SILENT else 3 for unit in first.meters}
        late_s.append((one.neighbours_done_s - usual_s[0], two.neighbours_done_s - usual_s[1]))
    await first.line.stop()
    await second.line.stop()
    print(f"\ndeadline {DEADLINE_S} s; healthy cycle {usual_s[0]:.3f} s and {usual_s[1]:.3f} s")
    for late in late_s:
        print(f"neighbours late by {late[0]:.3f} s; the other line late by {late[1]:.3f} s")
    # What the design costs shows in every round, what a busy machine costs does not: the least.
    assert min(late for late, _ in late_s) <= 1.5 * DEADLINE_S
    assert min(late for _, late in late_s) <= 0.5 * DEADLINE_S


async def test_a_slave_that_stays_silent_costs_later_cycles_less() -> None:
    first, second = new_bus(), new_bus()
    await first.line.start()
    await second.line.start()
    first.meters[SILENT].script.order(Misbehaviour.TIMEOUT)
    cycles = 10
    async with AsyncExitStack() as stack:
        lines = [await devices_on(bus, stack) for bus in (first, second)]
        for _ in range(cycles):
            one, two = await asyncio.gather(*(poll(devices) for devices in lines))
            assert isinstance(one.outcomes[SILENT], DeviceTimeoutError)
            assert_all_read(one, besides={SILENT})
            assert_all_read(two, besides=set())
    await first.line.stop()
    await second.line.stop()
    asked = first.requests()[SILENT]
    print(f"\nin {cycles} cycles the silent slave was asked {asked} times")
    assert 1 <= asked < cycles


async def test_a_slave_that_is_back_is_read_again() -> None:
    bus = new_bus()
    await bus.line.start()
    bus.meters[SILENT].script.order(Misbehaviour.TIMEOUT)
    async with AsyncExitStack() as stack:
        devices = await devices_on(bus, stack)
        assert isinstance((await poll(devices)).outcomes[SILENT], DeviceTimeoutError)
        bus.meters[SILENT].script.clear()
        until_s = time.monotonic() + PATIENT_S
        outcome: Outcome | None = None
        while not isinstance(outcome, PlantReading) and time.monotonic() < until_s:
            outcome = (await poll(devices)).outcomes[SILENT]
            await asyncio.sleep(0.1)
        assert isinstance(outcome, PlantReading)
    await bus.line.stop()
