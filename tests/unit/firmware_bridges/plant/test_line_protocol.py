"""The sensor's line protocol."""

import pytest

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError
from firmware_bridges.serial.line_protocol import Climate, parse_climate, parse_identity
from shared.measured import Reason, Unknown


def line(body: str) -> bytes:
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return body.encode() + b"*%02X\r\n" % checksum


def test_the_documented_answers_are_read() -> None:
    assert parse_climate(b"T=23.4 C RH=45.1 %*0D\r\n") == Climate(23.4, 45.1)
    identity = parse_identity(b"ID=TH1 FW=1.2 SN=000731*39\r\n")
    assert (identity.model, identity.firmware, identity.serial) == ("TH1", "1.2", "000731")


def test_frost_is_negative() -> None:
    assert parse_climate(line("T=-12.5 C RH=80.0 %")).temperature_c == -12.5


def test_a_broken_probe_is_unknown_and_the_other_is_read() -> None:
    climate = parse_climate(line("T=---.- C RH=45.1 %"))
    assert climate.humidity_pct == 45.1
    assert isinstance(climate.temperature_c, Unknown)
    assert climate.temperature_c.reason is Reason.DEVICE_ERROR


@pytest.mark.parametrize(
    ("body", "field"),
    [("T=200.0 C RH=45.1 %", "temperature_c"), ("T=20.0 C RH=100.1 %", "humidity_pct")],
)
def test_what_cannot_be_is_out_of_range(body: str, field: str) -> None:
    value = getattr(parse_climate(line(body)), field)
    assert isinstance(value, Unknown)
    assert value.reason is Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"T=23.4 C RH=45.1 %\r\n",
        b"T=23.4 C RH=45.1 %*0E\r\n",
        b"T=23.4 C RH=45.1 %*0d\r\n",
        b"T=23.4 C RH=45.1 %*0D",
        line("T=23.4 F RH=45.1 %"),
        line("T=23,4 C RH=45.1 %"),
        line("T=nan C RH=45.1 %"),
        line("T=٢٣.4 C RH=45.1 %"),
        line("x" * 80),
    ],
)
def test_a_line_that_is_none_of_it_is_malformed(answer: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        parse_climate(answer)


def test_an_identity_that_is_none_is_malformed() -> None:
    with pytest.raises(MalformedReplyError, match="no identity"):
        parse_identity(line("ID= FW= SN="))


def test_the_sensor_s_refusal_is_a_refusal() -> None:
    with pytest.raises(DeviceRefusedError, match="ERR unknown query"):
        parse_climate(line("ERR unknown query"))
