"""Antminers with Bitmain's own firmware (S19 to S21 generation).

`reading` turns raw replies into a `MinerReading`, `configuration` judges and rewrites the miner's
configuration (both pure), `device` does the I/O, `settings` is the device's table in the agent's
configuration. Found through the entry point `bes.drivers`; its simulator is
`firmware_bridges.simulators.antminer`.

Sources: the reads are cgminer's API (`API-README` of ckolivas/cgminer) with Bitmain's `stats`, as
captured from an S19 Pro and an S21; the CGI names, the work modes and the keys of `set_miner_conf`
are those of the miner's own pages, as pyasic (`AntminerModernWebAPI`) and asic-rs
(`antminer/backends/v2020`) use them. Bitmain publishes no reference.
"""

from typing import Final

from firmware_bridges.miners.antminer.device import Antminer
from firmware_bridges.miners.antminer.settings import AntminerSettings
from firmware_bridges.protocol import DeviceKind, Driver

DRIVER: Final = Driver(
    family="antminer",
    kinds=frozenset({DeviceKind.MINER}),
    settings=AntminerSettings,
    open=Antminer,
)
