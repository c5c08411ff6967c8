"""Sensors on a serial port of their own that speak a line protocol.

Only the agent imports this, through the entry point `line-sensor`. `line_protocol` is the protocol
(pure), `port` the blocking serial port, `sensor` the device. Another protocol is a module beside
`line_protocol` and a `Driver` here.
"""

from firmware_bridges.protocol import DeviceKind, Driver
from firmware_bridges.serial.sensor import ClimateSensor
from firmware_bridges.serial.settings import SensorSettings

SENSOR = Driver("line-sensor", frozenset({DeviceKind.SENSOR}), SensorSettings, ClimateSensor)

__all__ = ["SENSOR"]
