"""Modbus RTU on a serial port, driven by the event loop: no thread, no blocking call.

Timing follows Modbus over Serial Line V1.02, 2.5.1.1: 3.5 characters of silence before a request.
"""

import asyncio
import os
import termios
from dataclasses import dataclass
from typing import Protocol

from serial.serialposix import Serial

from firmware_bridges.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.modbus.requests import Request
from firmware_bridges.modbus.rtu_frames import find_reply, rtu_request
from firmware_bridges.serial_port import PORT_ERRORS, release

_BITS_PER_CHARACTER = 11
_LEAST_SILENCE_S = 0.00175
_MID_FRAME_SILENCE_S = 0.25
"""Bytes came and then none for so long: the frame was cut off. Far above 1.5 characters, because
USB adapters and busy hosts deliver in pieces."""
_MOST_BUFFER = 1_024
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class SerialParameters:
    """A serial port's path and framing; 8 data bits."""

    path: str
    baudrate: int
    parity: str
    stopbits: int


class _Port(Protocol):
    """What is used of pyserial's port, which has no types."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class RtuLink:
    """A `Link` over a serial port, opened when needed and again after a failure."""

    def __init__(self, parameters: SerialParameters) -> None:
        self.parameters = parameters
        self._port: _Port | None = None
        self._idle_from_s = 0.0
        characters_s = 3.5 * _BITS_PER_CHARACTER / parameters.baudrate
        self._silence_s = max(_LEAST_SILENCE_S, characters_s)

    async def exchange(self, unit: int, request: Request, until_s: float) -> bytes:
        """See `Link.exchange`."""
        loop = asyncio.get_running_loop()
        try:
            fd = self._opened()
            await self._line_silence()
            termios.tcflush(fd, termios.TCIFLUSH)  # what came unasked answers nobody
            await _send(fd, rtu_request(unit, request), until_s)
            return await self._reply(fd, unit, request, until_s)
        except TimeoutError as error:
            raise DeviceTimeoutError(
                f"{self.parameters.path} unit {unit}: no reply in time"
            ) from error
        except PORT_ERRORS as error:
            self.close()
            raise DeviceUnreachableError(f"{self.parameters.path}: {error}") from error
        finally:
            self._idle_from_s = loop.time()

    def close(self) -> None:
        """See `Link.close`."""
        port, self._port = self._port, None
        release(port)

    def _opened(self) -> int:
        if self._port is None:
            self._port = Serial(  # type: ignore[no-untyped-call]  # pyserial has no types
                port=self.parameters.path,
                baudrate=self.parameters.baudrate,
                parity=self.parameters.parity,
                stopbits=self.parameters.stopbits,
                timeout=0,
                exclusive=True,
            )
        return self._port.fileno()

    async def _line_silence(self) -> None:
        remaining_s = self._idle_from_s + self._silence_s - asyncio.get_running_loop().time()
        if remaining_s > 0:
            await asyncio.sleep(remaining_s)

    async def _reply(self, fd: int, unit: int, request: Request, until_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        pending = b""
        while True:
            cut_off_s = loop.time() + _MID_FRAME_SILENCE_S if pending else until_s
            chunk = await _chunk(fd, min(until_s, cut_off_s))
            if chunk is None and pending:
                raise MalformedReplyError(
                    f"{self.parameters.path} unit {unit}: {len(pending)} bytes, no valid "
                    f"frame: {pending[:16].hex()}"
                )
            if chunk is None:
                raise TimeoutError
            found = find_reply(pending + chunk, unit, request)
            if found.pdu is not None:
                return found.pdu
            pending = found.rest
            if len(pending) > _MOST_BUFFER:
                raise MalformedReplyError(f"{self.parameters.path}: a stream of noise")


async def _send(fd: int, frame: bytes, until_s: float) -> None:
    async with asyncio.timeout_at(until_s):
        while frame:
            await _ready(fd, write=True)
            frame = frame[os.write(fd, frame) :]


async def _chunk(fd: int, until_s: float) -> bytes | None:
    """What arrives until then; None when nothing does."""
    try:
        async with asyncio.timeout_at(until_s):
            await _ready(fd, write=False)
    except TimeoutError:
        # A busy host may wake after the deadline; bytes that came by then count.
        return _at_hand(fd) or None
    chunk = _at_hand(fd)
    if not chunk:
        raise OSError("the port hung up")  # readable without content, as pyserial judges it
    return chunk


def _at_hand(fd: int) -> bytes:
    """What the port has now, which may be nothing."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return b""


async def _ready(fd: int, *, write: bool) -> None:
    """Returns when the descriptor can be read or written."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not ready.done():
            ready.set_result(None)

    if write:
        loop.add_writer(fd, resolve)
    else:
        loop.add_reader(fd, resolve)
    try:
        await ready
    finally:
        if write:
            loop.remove_writer(fd)
        else:
            loop.remove_reader(fd)
