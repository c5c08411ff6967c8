"""The configuration of Modbus devices and sensors, and the line each one joins."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from firmware_bridges.errors import DeviceUnreachableError
from firmware_bridges.modbus import METER, SWITCH
from firmware_bridges.modbus.lines import take_seat
from firmware_bridges.modbus.settings import MeterSettings
from firmware_bridges.protocol import DeviceKind, PlantDevice
from firmware_bridges.serial import SENSOR
from shared.errors import BadInputError

SERIAL: dict[str, Any] = {"map": "eastron_sdm630", "unit": 1, "serial_port": "/dev/ttyUSB7"}
TCP: dict[str, Any] = {"map": "eastron_sdm630", "unit": 1, "host": "192.0.2.1"}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"map": "eastron_sdm630", "unit": 1}, "either host .* or serial_port"),
        (SERIAL | {"host": "192.0.2.1"}, "either host .* or serial_port"),
        (SERIAL | {"unit": 0}, "1 to 247"),
        (SERIAL | {"unit": 248}, "1 to 247"),
        (TCP | {"unit": 256}, "less than or equal to 255"),
        (TCP | {"port": 0}, "greater than or equal to 1"),
        (SERIAL | {"parity": "X"}, "'N', 'E' or 'O'"),
        (SERIAL | {"deadline_s": 0}, "greater than 0"),
        (TCP | {"colour": "grey"}, "Extra inputs"),
        (TCP | {"map": "metered_pdu_24"}, "no map of a meter; allowed: eastron_sdm630"),
        (TCP | {"map": "sdm631"}, "no map 'sdm631'"),
    ],
)
def test_a_meter_s_settings_that_cannot_be_are_refused(
    data: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        METER.settings.model_validate(data)


def test_a_map_s_error_stands_at_its_key() -> None:
    with pytest.raises(ValidationError) as refused:
        SWITCH.settings.model_validate(TCP)
    assert refused.value.errors()[0]["loc"] == ("map",)


def test_the_drivers_say_what_they_are() -> None:
    assert (METER.family, METER.kinds) == ("modbus-meter", frozenset({DeviceKind.METER}))
    assert (SWITCH.family, SWITCH.kinds) == ("modbus-switch", frozenset({DeviceKind.SWITCH}))
    assert (SENSOR.family, SENSOR.kinds) == ("line-sensor", frozenset({DeviceKind.SENSOR}))


async def test_opening_a_device_does_no_io() -> None:
    devices = [
        METER.open(METER.settings.model_validate(SERIAL)),
        SWITCH.open(SWITCH.settings.model_validate(TCP | {"map": "waveshare_relay_8"})),
        SENSOR.open(SENSOR.settings.model_validate({"serial_port": "/dev/ttyUSB8"})),
    ]
    for device in devices:
        assert isinstance(device, PlantDevice)
        await device.close()


def test_devices_on_one_serial_port_share_a_line(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    by_id = tmp_path / "usb-adapter"
    by_id.symlink_to(port)
    first = take_seat(MeterSettings.model_validate(SERIAL | {"serial_port": str(port)}))
    second = take_seat(
        MeterSettings.model_validate(SERIAL | {"serial_port": str(by_id), "unit": 2})
    )
    other = take_seat(MeterSettings.model_validate(SERIAL))
    assert first.line is second.line
    assert first.line is not other.line
    for seat in (first, second, other):
        seat.leave()


def test_devices_behind_one_gateway_share_a_line_and_others_do_not() -> None:
    seats = [
        take_seat(MeterSettings.model_validate(TCP | change))
        for change in ({}, {"unit": 2}, {"port": 503})
    ]
    assert seats[0].line is seats[1].line
    assert seats[0].line is not seats[2].line
    for seat in seats:
        seat.leave()


def test_two_framings_on_one_port_are_refused() -> None:
    seat = take_seat(MeterSettings.model_validate(SERIAL))
    with pytest.raises(BadInputError) as refused:
        take_seat(MeterSettings.model_validate(SERIAL | {"unit": 2, "baudrate": 19_200}))
    assert refused.value.field == "baudrate"
    assert "9600" in refused.value.allowed
    seat.leave()
    free_again = take_seat(MeterSettings.model_validate(SERIAL | {"baudrate": 19_200}))
    free_again.leave()


async def test_a_device_that_was_closed_says_so() -> None:
    for driver, data in ((METER, TCP), (SENSOR, {"serial_port": "/dev/ttyUSB8"})):
        device = driver.open(driver.settings.model_validate(data))
        await device.close()
        await device.close()
        with pytest.raises(DeviceUnreachableError, match="was closed"):
            await device.read()
