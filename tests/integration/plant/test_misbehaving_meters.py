"""Meters that hang, cut off, talk nonsense or restart, over real sockets and pseudo-terminals."""

import contextlib
import time

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotSupportedError,
)
from firmware_bridges.modbus import METER
from firmware_bridges.protocol import PlantDevice
from firmware_bridges.readings import PlantReading
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.plant import (
    ElectricalLoad,
    ModbusTcpServer,
    RtuLine,
    Sdm630,
)
from shared.measured import Reason, Unknown
from tests.integration.plant.site import opened, reachable

MAP = "eastron_sdm630"


def meter_of(power_w: float, script: Script | None = None) -> Sdm630:
    return Sdm630(ElectricalLoad(lambda: power_w, time.monotonic), script)


class HangsAt(Script):
    """Silent at the given request and those that follow it, or at it alone."""

    def __init__(self, request: int, *, alone: bool = False) -> None:
        super().__init__()
        self.request = request
        self.left = request
        self.alone = alone

    def take(self) -> Misbehaviour | None:
        self.left -= 1
        hangs = self.left == 0 if self.alone else self.left <= 0
        return Misbehaviour.TIMEOUT if hangs else None


async def until_answered(meter: PlantDevice, script: HangsAt) -> PlantReading:
    """A reading that began; on a machine at a standstill the first request may time out too."""
    for _ in range(5):
        script.left = script.request
        with contextlib.suppress(DeviceTimeoutError):
            return await meter.read()
    pytest.fail("no request was answered in five readings")


@pytest.mark.parametrize(
    ("transport", "misbehaviour", "error"),
    [
        ("tcp", Misbehaviour.TIMEOUT, DeviceTimeoutError),
        ("rtu", Misbehaviour.TIMEOUT, DeviceTimeoutError),
        ("tcp", Misbehaviour.CUT_OFF, DeviceUnreachableError),
        ("rtu", Misbehaviour.CUT_OFF, MalformedReplyError),
        ("tcp", Misbehaviour.GARBAGE, MalformedReplyError),
        ("rtu", Misbehaviour.GARBAGE, MalformedReplyError),
        ("tcp", Misbehaviour.REBOOT, DeviceUnreachableError),
        ("rtu", Misbehaviour.REBOOT, DeviceTimeoutError),
    ],
)
async def test_a_misbehaving_meter_is_a_typed_error_and_is_read_again_afterwards(
    transport: str, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    slave = meter_of(7_000.0)
    silent = error is DeviceTimeoutError
    async with reachable(transport, {1: slave}) as where:
        deadline = {"deadline_s": 0.3} if silent else {}
        async with opened(METER, map=MAP, unit=1, **where, **deadline) as meter:
            slave.script.order(misbehaviour)
            with pytest.raises(error):
                await meter.read()
        async with opened(METER, map=MAP, unit=1, **where) as meter:
            slave.script.clear()
            assert (await meter.read()).power_w == 7_000.0


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_the_same_device_object_survives_garbage(transport: str) -> None:
    slave = meter_of(7_000.0)
    async with (
        reachable(transport, {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where) as meter,
    ):
        slave.script.order(Misbehaviour.GARBAGE)
        with pytest.raises(MalformedReplyError):
            await meter.read()
        slave.script.clear()
        assert (await meter.read()).power_w == 7_000.0


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_one_garbled_group_leaves_the_others_known(transport: str) -> None:
    slave = meter_of(7_000.0)
    async with (
        reachable(transport, {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where) as meter,
    ):
        slave.script.order(Misbehaviour.GARBAGE, 1)
        reading = await meter.read()
    assert reading.power_w == 7_000.0
    for phase in reading.phases:
        assert isinstance(phase.power_w, Unknown)
        assert phase.power_w.reason is Reason.MALFORMED


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_a_meter_that_falls_silent_midway_is_asked_no_more_in_that_reading(
    transport: str,
) -> None:
    script = HangsAt(2)
    slave = meter_of(6_000.0, script)
    async with (
        reachable(transport, {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where, deadline_s=3.0) as meter,
    ):
        reading = await until_answered(meter, script)
    assert script.left == 0
    assert [phase.power_w for phase in reading.phases] == [2_000.0] * 3
    for value in (reading.power_w, reading.energy_import_wh, reading.identity.serial):
        assert isinstance(value, Unknown)
        assert value.reason is Reason.TIMEOUT


async def test_a_group_that_the_device_refuses_leaves_the_others_known() -> None:
    class WithoutSerial(Sdm630):
        def holding_registers(self) -> dict[int, int]:
            return {}

    slave = WithoutSerial(ElectricalLoad(lambda: 7_000.0, time.monotonic))
    async with (
        reachable("rtu", {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where) as meter,
    ):
        first = await meter.read()
        second = await meter.read()
    assert slave.requests == 5  # what was refused once is not asked for again
    for reading in (first, second):
        assert reading.power_w == 7_000.0
        assert isinstance(reading.identity.serial, Unknown)
        assert reading.identity.serial.reason is Reason.DEVICE_ERROR


async def test_a_meter_that_hangs_on_its_serial_number_is_asked_for_it_once() -> None:
    script = HangsAt(3, alone=True)
    slave = meter_of(6_000.0, script)
    async with (
        reachable("rtu", {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where, deadline_s=3.0) as meter,
    ):
        first = await until_answered(meter, script)
        asked = slave.requests
        second = await meter.read()
    assert slave.requests == asked + 2
    assert (first.power_w, second.power_w) == (6_000.0, 6_000.0)
    assert isinstance(second.identity.serial, Unknown)
    assert second.identity.serial.reason is Reason.TIMEOUT


async def test_a_gateway_without_the_unit_is_a_timeout() -> None:
    async with (
        reachable("tcp", {1: meter_of(7_000.0)}) as where,
        opened(METER, map=MAP, unit=2, **where) as meter,
    ):
        with pytest.raises(DeviceTimeoutError, match="gateway target"):
            await meter.read()


async def test_a_server_that_restarts_is_reached_again() -> None:
    slaves = {1: meter_of(7_000.0)}
    server = ModbusTcpServer(slaves)
    await server.start()
    async with opened(METER, map=MAP, unit=1, host=server.host, port=server.port) as meter:
        assert (await meter.read()).power_w == 7_000.0
        await server.stop()
        with pytest.raises(DeviceUnreachableError):
            await meter.read()
        again = ModbusTcpServer(slaves, port=server.port)
        await again.start()
        assert (await meter.read()).power_w == 7_000.0
        await again.stop()


async def test_a_port_that_does_not_exist_is_unreachable() -> None:
    async with opened(METER, map=MAP, unit=1, serial_port="/dev/no-such-port") as meter:
        with pytest.raises(DeviceUnreachableError, match="no-such-port"):
            await meter.read()


async def test_an_adapter_that_is_unplugged_is_unreachable() -> None:
    line = RtuLine({1: meter_of(7_000.0)})
    await line.start()
    async with opened(METER, map=MAP, unit=1, serial_port=line.path) as meter:
        assert (await meter.read()).power_w == 7_000.0
        await line.stop()
        with pytest.raises(DeviceUnreachableError):
            await meter.read()


async def test_a_meter_switches_nothing() -> None:
    slave = meter_of(7_000.0)
    async with (
        reachable("rtu", {1: slave}) as where,
        opened(METER, map=MAP, unit=1, **where) as meter,
    ):
        with pytest.raises(NotSupportedError, match="a meter has no outlet 1 to open"):
            await meter.switch(1, closed=False)
    assert slave.requests == 0
