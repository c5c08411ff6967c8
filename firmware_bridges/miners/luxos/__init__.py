"""Miners with LuxOS (LUXminer): the 4028 API with sessions for writes, profiles and curtailment.

`reading` turns raw replies into a `MinerReading` (pure), `session` holds the one session that a
miner allows, `device` does the I/O, `settings` is the device's table in the agent's configuration.
Found through the entry point `bes.drivers`; its simulator is `firmware_bridges.simulators.luxos`.

Source: Luxor's firmware documentation, "API Docs" (Introduction, Sessions, and the pages of the
commands), and LuxorLabs/luxos-tooling (`asyncops.py`, `api.json`), which is the vendor's client.
"""

from typing import Final

from firmware_bridges.miners.luxos.device import LuxosMiner
from firmware_bridges.miners.luxos.settings import LuxosSettings
from firmware_bridges.protocol import DeviceKind, Driver

DRIVER: Final = Driver(
    family="luxos",
    kinds=frozenset({DeviceKind.MINER}),
    settings=LuxosSettings,
    open=LuxosMiner,
)
