"""Parts of an agent for tests: a clock that can be set, metrics, waiting for a condition."""

import asyncio
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.buffer.births import DeviceDescription, Identity
from firmware_bridges.metrics import Metric
from shared.messages.birth import MetricType

PATIENCE_S = 30.0
NOON_MS = 1_700_000_000_000
POWER = Metric("power_w", "W", MetricType.FLOAT)
HASHRATE = Metric("hashrate_ths", "TH/s", MetricType.FLOAT)
IDENTITY = Identity("site-a-01", "boot-1", "bes 0.0")
MINERS = tuple(DeviceDescription(f"miner-{n}", "miner", "luxos") for n in range(3))


@dataclass
class SetClock:
    """A clock that stands still until it is set."""

    wall_ms: int = NOON_MS
    running_s: float = 1_000.0

    def now_ms(self) -> int:
        """See `agent.clock.Clock`."""
        return self.wall_ms

    def monotonic_s(self) -> float:
        """See `agent.clock.Clock`."""
        return self.running_s


def count(connection: sqlite3.Connection, table: str) -> int:
    """How many rows a table of the agent's database has."""
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def eventually(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it never came about")
        await asyncio.sleep(0.02)


def lines_before_kill(command: Sequence[str], lines: int) -> list[list[str]]:
    """The words of every whole line that a process wrote until, after so many, it was killed."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return [line.split() for line in said if line.endswith("\n")]
