"""Devices and simulators that a test opens and that are closed after it."""

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from firmware_bridges.protocol import Driver, PlantDevice
from firmware_bridges.simulators.plant import ModbusTcpServer, RtuLine
from firmware_bridges.simulators.plant.slave import SimulatedSlave

PATIENT_S = 30.0
"""A deadline that only a machine at a standstill would miss."""


async def arrived(path: str, size: int) -> None:
    """Returns when so many bytes lie unread at the host's end of a serial port."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        async with asyncio.timeout(PATIENT_S):
            while _unread(fd) < size:  # noqa: ASYNC110 - only the kernel knows
                await asyncio.sleep(0.01)
    finally:
        os.close(fd)


def _unread(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


@asynccontextmanager
async def opened(driver: Driver, **settings: Any) -> AsyncIterator[PlantDevice]:
    """A device by its settings, closed at the end."""
    device = driver.open(driver.settings.model_validate({"deadline_s": PATIENT_S} | settings))
    assert isinstance(device, PlantDevice)
    try:
        yield device
    finally:
        await device.close()


@asynccontextmanager
async def reachable(
    transport: str, slaves: Mapping[int, SimulatedSlave]
) -> AsyncIterator[dict[str, Any]]:
    """The slaves on a real socket ("tcp") or pseudo-terminal ("rtu"); gives how to reach them."""
    wire = ModbusTcpServer(slaves) if transport == "tcp" else RtuLine(slaves)
    await wire.start()
    try:
        if isinstance(wire, ModbusTcpServer):
            yield {"host": wire.host, "port": wire.port}
        else:
            yield {"serial_port": wire.path}
    finally:
        await wire.stop()
