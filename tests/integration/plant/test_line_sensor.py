"""The line-protocol sensor on a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware_bridges.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotSupportedError,
)
from firmware_bridges.serial import SENSOR
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from firmware_bridges.simulators.plant import LineSensor
from shared.measured import Reason, Unknown
from tests.integration.plant.site import arrived, opened


class Air:
    def __init__(self) -> None:
        self.temperature_c: float | None = 23.4
        self.humidity_pct: float | None = 45.1


@pytest.fixture
def air() -> Air:
    return Air()


@pytest.fixture
async def sensor(air: Air) -> AsyncIterator[LineSensor]:
    simulated = LineSensor(lambda: air.temperature_c, lambda: air.humidity_pct)
    await simulated.start()
    yield simulated
    await simulated.stop()


async def test_temperature_and_humidity_are_read_as_they_change(
    air: Air, sensor: LineSensor
) -> None:
    async with opened(SENSOR, serial_port=sensor.path) as device:
        first = await device.read()
        air.temperature_c, air.humidity_pct = -7.5, 99.9
        second = await device.read()
    assert (first.temperature_c, first.humidity_pct) == (23.4, 45.1)
    assert (second.temperature_c, second.humidity_pct) == (-7.5, 99.9)
    assert first.identity.model == "SIM-TH1"
    assert second.identity == first.identity
    assert isinstance(first.power_w, Unknown)
    assert sensor.requests == 3  # the identity once


async def test_a_broken_probe_is_unknown_and_never_zero(air: Air, sensor: LineSensor) -> None:
    air.temperature_c = None
    async with opened(SENSOR, serial_port=sensor.path) as device:
        reading = await device.read()
    assert isinstance(reading.temperature_c, Unknown)
    assert reading.temperature_c.reason is Reason.DEVICE_ERROR
    assert reading.humidity_pct == 45.1


@pytest.mark.parametrize(
    ("misbehaviour", "deadline_s", "error"),
    [
        (Misbehaviour.TIMEOUT, 0.5, DeviceTimeoutError),
        (Misbehaviour.REBOOT, 0.5, DeviceTimeoutError),
        (Misbehaviour.CUT_OFF, 4.0, MalformedReplyError),
        (Misbehaviour.GARBAGE, 30.0, MalformedReplyError),
    ],
)
async def test_a_misbehaving_sensor_is_a_typed_error_and_is_read_again_afterwards(
    sensor: LineSensor,
    misbehaviour: Misbehaviour,
    deadline_s: float,
    error: type[DeviceTimeoutError | MalformedReplyError],
) -> None:
    sensor.script.order(misbehaviour)
    async with opened(SENSOR, serial_port=sensor.path, deadline_s=deadline_s) as device:
        with pytest.raises(error):
            await device.read()
    sensor.script.clear()
    async with opened(SENSOR, serial_port=sensor.path) as device:
        assert (await device.read()).temperature_c == 23.4


async def test_a_late_answer_does_not_answer_the_next_query(air: Air, sensor: LineSensor) -> None:
    async with opened(SENSOR, serial_port=sensor.path) as device:
        await device.read()
        late = b"T=99.9 C RH=99.9 %*08\r\n"
        sensor.say(late)
        await arrived(sensor.path, len(late))
        assert (await device.read()).temperature_c == air.temperature_c


async def test_a_reading_that_was_given_up_leaves_the_sensor_usable(sensor: LineSensor) -> None:
    async with opened(SENSOR, serial_port=sensor.path) as device:
        sensor.script.order(Misbehaviour.TIMEOUT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await device.read()
        sensor.script.clear()
        assert (await device.read()).temperature_c == 23.4


async def test_a_sensor_that_was_closed_can_be_opened_at_once(sensor: LineSensor) -> None:
    for _ in range(20):
        async with opened(SENSOR, serial_port=sensor.path) as device:
            assert (await device.read()).temperature_c == 23.4


async def test_a_port_that_does_not_exist_is_unreachable() -> None:
    async with opened(SENSOR, serial_port="/dev/no-such-port") as device:
        with pytest.raises(DeviceUnreachableError, match="no-such-port"):
            await device.read()


async def test_a_sensor_switches_nothing(sensor: LineSensor) -> None:
    async with opened(SENSOR, serial_port=sensor.path) as device:
        assert (await device.capabilities()).metrics == ("temperature_c", "humidity_pct")
        with pytest.raises(NotSupportedError):
            await device.switch(1, closed=True)
    assert sensor.requests == 0
