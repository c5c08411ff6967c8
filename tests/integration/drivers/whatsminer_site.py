"""A simulated Whatsminer and the driver that talks to it, for the tests beside this file."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from firmware_bridges.miners.whatsminer import DRIVER
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from firmware_bridges.simulators.whatsminer import WhatsminerPersona, WhatsminerSimulator
from tests.integration.drivers.miner_site import (
    PASSWORD,
    RAMP_S,
    Hand,
    Site,
    driving,
    password_in,
    serving,
)


def model(firmware: str = "20230803.11.REL") -> MinerModel:
    return MinerModel(
        model="M60S_VK40",
        firmware=firmware,
        serial="SIM1",
        mac="02:00:00:00:00:01",
        rated=Point(3_400.0, 186.0),
        presets={
            "low": Point(2_600.0, 150.0),
            "normal": Point(3_400.0, 186.0),
            "high": Point(3_800.0, 200.0),
        },
        ramp_s=RAMP_S,
    )


@contextlib.asynccontextmanager
async def whatsminer(
    folder: Path,
    persona: WhatsminerPersona,
    *,
    firmware: str = "20230803.11.REL",
    **settings: Any,
) -> AsyncIterator[Site[WhatsminerSimulator]]:
    """Both sides, on free ports; `settings` go on top of the driver's."""
    clock, script = Hand(), Script()
    device = SimulatedMiner(model(firmware), clock)
    simulator = WhatsminerSimulator(device, script, persona)
    async with serving(simulator):
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": simulator.port,
            "v3_port": simulator.v3_port or 1,
            "password_file": password_in(folder),
            "least_power_w": 2_000,
            "most_power_w": 3_400,
            "deadline_s": 30.0,
            **settings,
        }
        async with driving(DRIVER, given) as miner:
            yield Site(miner, device, simulator, script, clock)


def persona(api: str, **more: Any) -> WhatsminerPersona:
    return WhatsminerPersona(api=api, password=PASSWORD, **more)


def captures(shared_data: Path, version: str) -> dict[str, bytes]:
    """The captures of one API version by their command."""
    folder = shared_data / "miners" / "whatsminer" / version
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def v3_captures(shared_data: Path) -> dict[str, bytes]:
    """The captures of v3 by the requests that the driver makes. The driver asks for the three parts
    of get.miner.status at once, as MicroBT's document allows, so that their `msg` are put together.
    """
    raw = captures(shared_data, "v3")
    parts: Mapping[str, Any] = {
        part: json.loads(raw[f"get_miner_status_{part}"]) for part in ("summary", "pools", "edevs")
    }
    together = dict(parts["summary"])
    together["msg"] = {name: part["msg"][name] for name, part in parts.items()}
    return {
        "get.device.info": raw["get_device_info"],
        "get.device.info system": raw["get_device_info"],
        "get.miner.status summary+pools+edevs": json.dumps(together).encode(),
    }
