"""Simulated plant devices: meters and PDUs on Modbus TCP and RTU, a line-protocol sensor.

All start and stop inside a running asyncio loop (`await x.start()`, `await x.stop()`); each device
has a `script` (see `simulators.misbehaviour`) that makes it fail. A lie concerns writes only: the
PDU acknowledges and does not switch. A reboot lasts five seconds, or until the script is cleared.

- A load to measure: `ElectricalLoad(power_w, clock, rate)`; `power_w` is a callable in watts (the
  sum of some miners), `clock` a callable in seconds, `rate` how many seconds of energy each of
  them stands for.
- Meters: `Sdm630(load)`, `Pm5000(load)`, `SunSpecMeter(load, model=203)`.
- A PDU: `SimulatedPdu(outlets, outlet_power_w, on_switch)`; `on_switch(outlet, closed)` is called
  after a coil was written, `outlet_power_w(outlet)` gives watts.
- Modbus TCP: `server = ModbusTcpServer({unit: device})`; after `start` it listens on
  `server.host`, `server.port`.
- Modbus RTU: `line = RtuLine({unit: device, ...})`; after `start` the serial port is `line.path`.
  A pseudo-terminal has no parity: configure parity "N".
- The sensor: `LineSensor(temperature_c, humidity_pct)`; after `start` its port is `sensor.path`.
"""

from firmware_bridges.simulators.plant.line_sensor import LineSensor
from firmware_bridges.simulators.plant.load import ElectricalLoad
from firmware_bridges.simulators.plant.meters import Pm5000, Sdm630
from firmware_bridges.simulators.plant.pdu import SimulatedPdu
from firmware_bridges.simulators.plant.rtu_line import RtuLine
from firmware_bridges.simulators.plant.sunspec_meter import SunSpecMeter
from firmware_bridges.simulators.plant.tcp_server import ModbusTcpServer

__all__ = [
    "ElectricalLoad",
    "LineSensor",
    "ModbusTcpServer",
    "Pm5000",
    "RtuLine",
    "Sdm630",
    "SimulatedPdu",
    "SunSpecMeter",
]
