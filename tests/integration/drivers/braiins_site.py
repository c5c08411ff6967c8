"""A simulated Braiins OS miner and the driver that talks to it, for the tests beside this file."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from firmware_bridges.miners.braiins import DRIVER
from firmware_bridges.simulators.braiins import BraiinsPersona, BraiinsSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from tests.integration.drivers.miner_site import (
    PASSWORD,
    RAMP_S,
    Hand,
    Site,
    driving,
    password_in,
    serving,
)

MODEL = MinerModel(
    model="Antminer S19 XP",
    firmware="2025-08-06-0-3881c51d-25.07-plus",
    serial="SIM1",
    mac="02:00:00:00:00:02",
    rated=Point(3_000.0, 141.0),
    least_power_w=1_200.0,
    chips_per_board=110,
    ramp_s=RAMP_S,
)


@contextlib.asynccontextmanager
async def braiins(
    folder: Path, persona: BraiinsPersona, **settings: Any
) -> AsyncIterator[Site[BraiinsSimulator]]:
    """Both sides, on a free port; `settings` go on top of the driver's."""
    clock, script = Hand(), Script()
    device = SimulatedMiner(MODEL, clock)
    simulator = BraiinsSimulator(device, script, persona)
    async with serving(simulator):
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": simulator.port,
            "password_file": password_in(folder),
            "deadline_s": 30.0,
            **settings,
        }
        async with driving(DRIVER, given) as miner:
            yield Site(miner, device, simulator, script, clock)


def persona(api: str, **more: Any) -> BraiinsPersona:
    return BraiinsPersona(api=api, password=PASSWORD, **more)


REST_CAPTURES = {
    "version": "version",
    "miner/details": "miner_details",
    "miner/stats": "miner_stats",
    "miner/hw/hashboards": "miner_hw_hashboards",
    "cooling/state": "cooling_state",
    "pools": "pools",
    "performance/tuner-state": "performance_tuner_state",
    "miner/errors": "miner_errors",
    "configuration/miner": "configuration_miner",
    "network": "network",
    "actions/locate": "actions_locate",
}
GRAPHQL_CAPTURES = {
    "system": "gql_system",
    "boards": "gql_boards",
    "pools": "gql_pools",
    "tuning": "gql_tuning",
    "network": "web_net_conf",
}


def rest_captures(shared_data: Path) -> dict[str, bytes]:
    """The captures of 25.07 by their endpoint."""
    return _captures(shared_data / "miners" / "braiins" / "v25_07", REST_CAPTURES)


def graphql_captures(shared_data: Path) -> dict[str, bytes]:
    """The captures of 21.09 by the driver's name of the query."""
    return _captures(shared_data / "miners" / "braiins" / "v21_09", GRAPHQL_CAPTURES)


def _captures(folder: Path, names: dict[str, str]) -> dict[str, bytes]:
    return {request: (folder / f"{name}.json").read_bytes() for request, name in names.items()}
