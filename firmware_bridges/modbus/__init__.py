"""Meters, switched PDUs and breakers on Modbus TCP and RTU.

Only the agent imports this, through the entry points `modbus-meter` and `modbus-switch`. A device
of another make needs a register map in `maps/` (see `register_map`; it names its source), no code.

- `requests`, `rtu_frames`, `decoding`, `sunspec`, `turns`: pure; bytes and decisions
- `tcp_link`, `rtu_link`: the wire; `line`, `lines`: one queue per RS-485 line or TCP endpoint
- `reading`, `meter`, `switch`: the devices
"""

from firmware_bridges.modbus.meter import ModbusMeter
from firmware_bridges.modbus.settings import MeterSettings, SwitchSettings
from firmware_bridges.modbus.switch import ModbusSwitch
from firmware_bridges.protocol import DeviceKind, Driver

METER = Driver("modbus-meter", frozenset({DeviceKind.METER}), MeterSettings, ModbusMeter)
SWITCH = Driver("modbus-switch", frozenset({DeviceKind.SWITCH}), SwitchSettings, ModbusSwitch)

__all__ = ["METER", "SWITCH"]
