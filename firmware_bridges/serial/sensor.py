"""A temperature and humidity sensor on a serial port."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from firmware_bridges.capabilities import PlantCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    NotSupportedError,
)
from firmware_bridges.readings import Identity, PlantReading
from firmware_bridges.serial.line_protocol import IDENTIFY, READ, parse_climate, parse_identity
from firmware_bridges.serial.port import LinePort
from firmware_bridges.serial.settings import SensorSettings

_GRACE_S = 1.0
"""For a port that hangs while it is opened or closed, beyond the thread's own deadline."""


class ClimateSensor:
    """A `PlantDevice`; the port's blocking calls run in one thread that belongs to it."""

    def __init__(self, settings: SensorSettings) -> None:
        self._settings = settings
        self._port = LinePort(settings)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="line-sensor")
        self._identity: Identity | None = None
        self._closed = False

    async def capabilities(self) -> PlantCapabilities:
        """What the protocol carries; nothing is asked of the device."""
        return PlantCapabilities(metrics=("temperature_c", "humidity_pct"))

    async def read(self) -> PlantReading:
        """One snapshot; the identity is asked for once."""
        until_s = time.monotonic() + self._settings.deadline_s
        try:
            climate = parse_climate(await self._ask(READ, until_s))
        except DeviceError:
            self._identity = None  # another sensor may be there afterwards
            raise
        if self._identity is None:
            self._identity = await self._identify(until_s)
        return PlantReading(
            identity=self._identity,
            temperature_c=climate.temperature_c,
            humidity_pct=climate.humidity_pct,
        )

    async def switch(self, outlet: int, *, closed: bool) -> None:
        """A sensor has no outlets: `NotSupportedError`."""
        verb = "close" if closed else "open"
        raise NotSupportedError(f"a sensor has no outlet {outlet} to {verb}")

    async def close(self) -> None:
        """Releases the port, which another may open afterwards; may be called twice."""
        if self._closed:
            return
        self._closed = True
        closing = asyncio.wrap_future(self._thread.submit(self._port.close))
        self._thread.shutdown(wait=False)
        await asyncio.wait([closing], timeout=_GRACE_S)

    async def _identify(self, until_s: float) -> Identity:
        try:
            return parse_identity(await self._ask(IDENTIFY, until_s))
        except DeviceError as error:
            unknown = error.unknown()
            return Identity(model=unknown, firmware=unknown, serial=unknown)

    async def _ask(self, query: bytes, until_s: float) -> bytes:
        if self._closed:
            raise DeviceUnreachableError(f"{self._settings.serial_port} was closed")
        loop = asyncio.get_running_loop()
        given_up = threading.Event()
        try:
            async with asyncio.timeout(self._settings.deadline_s + _GRACE_S):
                return await loop.run_in_executor(
                    self._thread, self._port.ask, query, until_s, given_up
                )
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self._settings.serial_port} hangs") from error
        finally:
            given_up.set()
