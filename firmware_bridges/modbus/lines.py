"""The lines of this process: one object per serial port and per TCP endpoint."""

from pathlib import Path

from firmware_bridges.errors import DeviceUnreachableError
from firmware_bridges.modbus.line import Line
from firmware_bridges.modbus.rtu_link import RtuLink, SerialParameters
from firmware_bridges.modbus.settings import ModbusSettings
from firmware_bridges.modbus.tcp_link import TcpLink
from shared.errors import BadInputError

_LINES: dict[str, Line] = {}
_PORTS: dict[str, SerialParameters] = {}


class Seat:
    """A device's place on its line, from `take_seat` to `leave`."""

    def __init__(self, key: str, line: Line, unit: int) -> None:
        self._key = key
        self._unit = unit
        self._left = False
        self._line = line
        line.join(unit)

    @property
    def line(self) -> Line:
        """The line; `DeviceUnreachableError` once the place was given up."""
        if self._left:
            raise DeviceUnreachableError(f"{self._key} was closed")
        return self._line

    def leave(self) -> None:
        """Gives the place up; the last one closes the line. May be called twice."""
        if self._left:
            return
        self._left = True
        if self._line.leave(self._unit):
            _LINES.pop(self._key, None)
            _PORTS.pop(self._key, None)


def take_seat(settings: ModbusSettings) -> Seat:
    """The device's place on the line that its settings name; no I/O on the line.

    Raises `BadInputError` when another device has the same serial port with another framing.
    """
    wanted = settings.serial_parameters
    if wanted is None:
        key = f"tcp {settings.host}:{settings.port}"
        if key not in _LINES:
            _LINES[key] = Line(TcpLink(str(settings.host), settings.port))
        return Seat(key, _LINES[key], settings.unit)
    # /dev/serial/by-id names and ttyUSB names of one port are one line.
    key = f"serial {Path(wanted.path).resolve()}"
    known = _PORTS.setdefault(key, wanted)
    for field in ("baudrate", "parity", "stopbits"):
        if getattr(known, field) != getattr(wanted, field):
            raise BadInputError(
                field,
                f"{getattr(wanted, field)!r} on {wanted.path}",
                f"{getattr(known, field)!r}, as another device on this line has it",
            )
    if key not in _LINES:
        _LINES[key] = Line(RtuLink(wanted))
    return Seat(key, _LINES[key], settings.unit)
