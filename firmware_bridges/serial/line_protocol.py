r"""The line protocol of the temperature and humidity sensor. Pure.

ASCII, 8 data bits. The host sends a query, the sensor answers with one line and says nothing
unasked; lines end with CR LF and are at most 80 characters long. An answer is
`body*hh`, where hh is the exclusive-or of the body's bytes in two hexadecimal digits (as in
NMEA 0183, 5.3.1).

    R  ->  T=23.4 C RH=45.1 %*0D     temperature and relative humidity; ---.- for a broken probe
    I  ->  ID=TH1 FW=1.2 SN=000731*39     model, firmware, serial number
    anything else  ->  ERR text*hh
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError
from firmware_bridges.readings import Identity
from shared.measured import Measured, Reason, Unknown

READ = b"R\r\n"
IDENTIFY = b"I\r\n"
MOST_LINE = 82
"""Bytes of the longest answer with its line end."""

_ABSENT = "---.-"
_TEMPERATURE_C = (-60.0, 125.0)
_HUMIDITY_PCT = (0.0, 100.0)
_CLIMATE = re.compile(r"T=(-?\d{1,3}\.\d|---\.-) C RH=(-?\d{1,3}\.\d|---\.-) %", re.ASCII)
_IDENTITY = re.compile(r"ID=([!-~]{1,20}) FW=([!-~]{1,12}) SN=([!-~]{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Climate:
    """Temperature in degrees Celsius and relative humidity in percent."""

    temperature_c: Measured[float]
    humidity_pct: Measured[float]


def parse_climate(line: bytes) -> Climate:
    """The answer to `READ`; `MalformedReplyError` or `DeviceRefusedError` when it is none."""
    body = _body(line)
    match = _CLIMATE.fullmatch(body)
    if match is None:
        raise MalformedReplyError(f"no climate: {body!r}")
    return Climate(_number(match[1], _TEMPERATURE_C), _number(match[2], _HUMIDITY_PCT))


def parse_identity(line: bytes) -> Identity:
    """The answer to `IDENTIFY`; raises like `parse_climate`."""
    body = _body(line)
    match = _IDENTITY.fullmatch(body)
    if match is None:
        raise MalformedReplyError(f"no identity: {body!r}")
    return Identity(model=match[1], firmware=match[2], serial=match[3])


def _body(line: bytes) -> str:
    if not line.endswith(b"\r\n") or len(line) > MOST_LINE:
        raise MalformedReplyError(f"no line: {line[:40]!r}")
    body, star, checksum = line[:-2].rpartition(b"*")
    if not star or checksum != b"%02X" % reduce(xor, body, 0):
        raise MalformedReplyError(f"the checksum is wrong: {line[:40]!r}")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedReplyError(f"not ASCII: {line[:40]!r}") from error
    if text.startswith("ERR"):
        raise DeviceRefusedError(text)
    return text


def _number(text: str, limits: tuple[float, float]) -> Measured[float]:
    if text == _ABSENT:
        return Unknown(Reason.DEVICE_ERROR, "the probe is broken")
    value = float(text)
    least, most = limits
    if not least <= value <= most:
        return Unknown(Reason.OUT_OF_RANGE, f"{value:g}: outside {least:g} to {most:g}")
    return value
