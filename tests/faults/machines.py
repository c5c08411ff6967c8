"""The site's machines: simulated miners that remember every write."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from firmware_bridges.simulators.whatsminer import WhatsminerSimulator
from shared.setpoints import PowerLimit, Setpoint
from tests.faults.link import EventLoopThread

COUNT = 3


class RememberingMiner(SimulatedMiner):
    """A simulated miner that keeps what it was told."""

    def __init__(self, model: MinerModel) -> None:
        super().__init__(model, time.monotonic)
        self.told: list[Setpoint] = []

    def apply(self, setpoint: Setpoint) -> None:
        """See `SimulatedMiner`."""
        self.told.append(setpoint)
        super().apply(setpoint)


class Machines:
    """Three miners that answer on the loopback."""

    def __init__(self, loop: EventLoopThread, folder: Path) -> None:
        self._loop = loop
        self._password = folder / "miner-password"
        self._password.write_text("not-admin\n")
        self.miners = [RememberingMiner(_model(number)) for number in range(COUNT)]
        self._simulators = [WhatsminerSimulator(miner, Script()) for miner in self.miners]
        for simulator in self._simulators:
            loop.run(simulator.start())

    def devices(self) -> list[Mapping[str, Any]]:
        """Their tables in the agent's configuration."""
        return [
            {
                "name": name_of(number),
                "kind": "miner",
                "driver": "whatsminer",
                "settings": {
                    "host": "127.0.0.1",
                    "port": simulator.port,
                    "api": "v2",
                    "password_file": str(self._password),
                    "deadline_s": 2.0,
                    "settle_s": 1.0,
                    "least_power_w": 1_000,
                    "most_power_w": 9_000,
                },
            }
            for number, simulator in enumerate(self._simulators)
        ]

    def power_limits_told(self) -> list[int]:
        """Every power limit that a miner was told, in watts."""
        return [
            setpoint.power_w
            for miner in self.miners
            for setpoint in miner.told
            if isinstance(setpoint, PowerLimit)
        ]

    def stop(self) -> None:
        """Ends the servers."""
        for simulator in self._simulators:
            self._loop.run(simulator.stop())


def name_of(number: int) -> str:
    """The configured name of a miner."""
    return f"miner-{number + 1:02}"


def _model(number: int) -> MinerModel:
    return MinerModel(
        model="M50S",
        firmware="20230911.12.Rel2",
        serial=f"WM{number:06}",
        mac=f"CA:FE:00:00:00:{number:02X}",
        rated=Point(3_400.0, 126.0),
        least_power_w=1_000.0,
        ramp_s=0.5,
    )
