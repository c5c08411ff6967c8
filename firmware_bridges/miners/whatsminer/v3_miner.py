"""A Whatsminer of API v3: a thin shell of I/O round `v3_wire` and `v3_reading`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    NotSupportedError,
)
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.secret import read_secret
from firmware_bridges.miners.whatsminer import v3_reading, v3_wire
from firmware_bridges.miners.whatsminer.settings import WhatsminerSettings
from firmware_bridges.readings import MinerReading
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

_HEARTBEATS = 4


class V3Miner:
    """One miner on TCP 4433; one connection a read or write, since a miner takes ten clients."""

    def __init__(self, settings: WhatsminerSettings) -> None:
        self._settings = settings

    async def capabilities(self, deadline: Deadline) -> MinerCapabilities:
        """Every version of API 3 takes a power limit in watts."""
        return self._settings.capabilities(limits_power=True)

    async def read(self, deadline: Deadline) -> MinerReading:
        """Three requests on one connection."""
        replies: dict[str, Raw] = {}
        async with connected(self._settings, deadline) as connection:
            for command, param in (
                (v3_reading.STATUS, v3_reading.STATUS_PARAM),
                (v3_reading.DEVICE, None),
                (v3_reading.SETTING, None),
            ):
                replies[command] = await connection.attempt(v3_wire.request(command, param))
        return v3_reading.parse_reading(replies)

    async def apply(self, setpoint: Setpoint, deadline: Deadline) -> None:
        """Writes with a salt fetched for each; a mode or a limit set while its service is stopped
        starts it."""
        refusal = (await self.capabilities(deadline)).why_not(setpoint)
        if refusal is not None:
            raise NotSupportedError(refusal)
        match setpoint:
            case Stop():
                await self._write("set.miner.service", "stop", deadline)
            case Run():
                if self._settings.run_preset is not None:
                    await self._write("set.miner.power_mode", self._settings.run_preset, deadline)
                await self._write("set.miner.service", "start", deadline)
            case PowerLimit(power_w):
                await self._write("set.miner.power_limit", power_w, deadline)
                await self._start_if_stopped(deadline)
            case Preset(name):
                await self._write("set.miner.power_mode", name, deadline)
                await self._start_if_stopped(deadline)

    async def reboot(self, deadline: Deadline) -> None:
        """Restarts the control board."""
        await self._write("set.system.reboot", None, deadline)

    async def _start_if_stopped(self, deadline: Deadline) -> None:
        if (await self.read(deadline)).mining is False:
            await self._write("set.miner.service", "start", deadline)

    async def _write(self, command: str, param: object, deadline: Deadline) -> None:
        settings = self._settings
        if settings.password_file is None:
            raise NotSupportedError("without a password_file this miner is only read")
        password = read_secret(settings.password_file)
        async with connected(settings, deadline) as connection:
            salted = await connection.call(v3_wire.request(v3_reading.DEVICE, "salt"))
            challenge = v3_wire.challenge_from(salted)
            sent = v3_wire.write_request(command, param, challenge, settings.account, password)
            v3_wire.message(await connection.call(sent), command)


class V3Connection:
    """Framed requests and replies on one open connection, within one deadline."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: Deadline
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._deadline = deadline
        self._failed: DeviceError | None = None

    async def attempt(self, request: bytes) -> bytes | DeviceError:
        """`call`, with its error as the result. After one, frames and requests may no longer
        belong together, so every further attempt has the same error."""
        if self._failed is None:
            try:
                return await self.call(request)
            except DeviceError as error:
                self._failed = error
        return self._failed

    async def call(self, request: bytes) -> bytes:
        """Sends a frame and returns the body of the next one that is no heartbeat."""
        with _mapped():
            async with asyncio.timeout(self._deadline.left_s()):
                self._writer.write(request)
                await self._writer.drain()
                for _ in range(_HEARTBEATS):
                    header = await self._reader.readexactly(v3_wire.HEADER_BYTES)
                    length = v3_wire.frame_length(header)
                    if length:
                        return await self._reader.readexactly(length)
        raise DeviceTimeoutError("heartbeats instead of a reply")


@contextlib.asynccontextmanager
async def connected(
    settings: WhatsminerSettings, deadline: Deadline
) -> AsyncIterator[V3Connection]:
    """A connection to the miner, dropped at the end whatever happens."""
    with _mapped():
        async with asyncio.timeout(deadline.left_s()):
            reader, writer = await asyncio.open_connection(settings.host, settings.v3_port)
    try:
        yield V3Connection(reader, writer, deadline)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):  # how the close went changes nothing
            await writer.wait_closed()


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise DeviceTimeoutError("no complete reply within the deadline") from error
    except asyncio.IncompleteReadError as error:
        raise DeviceUnreachableError("the connection ended before the reply did") from error
    except (OSError, UnicodeError) as error:
        raise DeviceUnreachableError(f"no connection: {error}"[:160]) from error
