"""A process of simulated miners of the four families, for `tests.bench.agent`.

`python -m tests.bench.miners --count N --password-file FILE` prints the miners' tables of an
agent's configuration as one line of JSON, then serves them until its standard input closes.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from firmware_bridges.simulators.antminer import AntminerPersona, AntminerSimulator
from firmware_bridges.simulators.braiins import BraiinsPersona, BraiinsSimulator
from firmware_bridges.simulators.luxos import LuxosSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from firmware_bridges.simulators.whatsminer import WhatsminerPersona, WhatsminerSimulator

HOST = "127.0.0.1"
RATED = Point(3_250.0, 110.0)


class Simulator(Protocol):
    """What every simulator can do."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Made = tuple[Simulator, Callable[[], dict[str, Any]]]


def _antminer(miner: SimulatedMiner, password: str) -> Made:
    made = AntminerSimulator(miner, Script(), AntminerPersona(password=password))
    return made, lambda: {"api_port": made.api_port, "http_port": made.http_port}


def _luxos(miner: SimulatedMiner, _password: str) -> Made:
    made = LuxosSimulator(miner, Script())
    return made, lambda: {"port": made.port}


def _whatsminer(miner: SimulatedMiner, password: str) -> Made:
    made = WhatsminerSimulator(miner, Script(), WhatsminerPersona(password=password))
    return made, lambda: {"port": made.port, "api": "v2"}


def _braiins(miner: SimulatedMiner, password: str) -> Made:
    made = BraiinsSimulator(miner, Script(), BraiinsPersona(password=password))
    return made, lambda: {"port": made.port, "api": "rest"}


FAMILIES: dict[str, Callable[[SimulatedMiner, str], Made]] = {
    "antminer": _antminer,
    "luxos": _luxos,
    "whatsminer": _whatsminer,
    "braiins": _braiins,
}


async def serve(count: int, password_file: Path) -> None:
    """Starts the miners, prints their tables, serves until the input ends."""
    password = (await asyncio.to_thread(password_file.read_text, "ascii")).strip()
    tables = []
    kept = []
    for number in range(count):
        family = list(FAMILIES)[number % len(FAMILIES)]
        model = MinerModel(family, "simulated", f"SN{number:06}", "", RATED, ramp_s=1.0)
        simulator, settings = FAMILIES[family](SimulatedMiner(model, time.monotonic), password)
        await simulator.start()
        kept.append(simulator)
        own: dict[str, Any] = {"host": HOST, **settings()}
        if family != "luxos":
            own["password_file"] = str(password_file)
        tables.append(
            {
                "name": f"miner-{number:04}",
                "kind": "miner",
                "driver": family,
                "rated_power_w": int(RATED.power_w),
                "rated_hashrate_ths": f"{RATED.hashrate_ths}",
                "settings": own,
            }
        )
    sys.stdout.write(json.dumps(tables) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for simulator in kept:
        await simulator.stop()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.miners", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--password-file", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.count, options.password_file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
