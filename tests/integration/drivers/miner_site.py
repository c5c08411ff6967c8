"""One simulated miner and the driver that talks to it, for the tests beside this file."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pytest

from firmware_bridges.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.protocol import Driver, Miner
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import SimulatedMiner

PASSWORD = "correct horse"
RAMP_S = 60.0
FAILURES_ON_4028 = [
    (Misbehaviour.TIMEOUT, DeviceTimeoutError),
    (Misbehaviour.CUT_OFF, MalformedReplyError),
    (Misbehaviour.GARBAGE, MalformedReplyError),
    (Misbehaviour.REBOOT, DeviceUnreachableError),
]
"""How a device of the 4028 API can fail, and what the driver makes of it."""


class Simulator(Protocol):
    """What serves the device's protocol."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


SimulatorT = TypeVar("SimulatorT", bound=Simulator)


class Hand:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def move(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Site(Generic[SimulatorT]):
    """Both sides, and what moves the simulated one."""

    miner: Miner
    device: SimulatedMiner
    simulator: SimulatorT
    script: Script
    clock: Hand


def password_in(folder: Path) -> Path:
    """A file with the password."""
    file = folder / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


@contextlib.asynccontextmanager
async def serving(simulator: Simulator) -> AsyncIterator[None]:
    """The simulator listens meanwhile."""
    await simulator.start()
    try:
        yield
    finally:
        await simulator.stop()


@contextlib.asynccontextmanager
async def driving(driver: Driver, settings: dict[str, Any]) -> AsyncIterator[Miner]:
    """A miner of the driver, closed at the end."""
    miner = driver.open(driver.settings(**settings))
    assert isinstance(miner, Miner)
    try:
        yield miner
    finally:
        await miner.close()


async def cancel_a_read(site: Site[Any]) -> None:
    """Begins a read that the device does not answer, and cancels it once the device was asked."""
    site.script.order(Misbehaviour.TIMEOUT, times=1)
    task = asyncio.create_task(site.miner.read())
    async with asyncio.timeout(30):
        while site.script.current is not None:  # noqa: ASYNC110 - a script has no event
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancel_midway(call: Coroutine[Any, Any, object]) -> None:
    """Begins a call that the device does not answer, and cancels it while it waits."""
    task = asyncio.create_task(call)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
