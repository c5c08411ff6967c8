"""The API of cgminer and its descendants on TCP port 4028: one request, one reply, closed.

Source: `API-README` and `api.c` of ckolivas/cgminer. A request is a JSON object with "command" and
"parameter"; a reply is a JSON object, usually with a NUL behind it, whose STATUS list tells success
("S"), information ("I"), warning ("W"), error ("E") or fatal ("F").
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from firmware_bridges.errors import (
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.miners.extract import Source
from firmware_bridges.miners.lenient_json import NotJsonError, loads
from firmware_bridges.miners.replies import Raw, source_of

PORT: Final = 4028
MAX_REPLY_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """The first STATUS of a reply; `letter` is one of S I W E F, `code` the device's number."""

    letter: str
    code: int | None
    message: str

    @property
    def failed(self) -> bool:
        """Whether the device refused or failed."""
        return self.letter in {"E", "F"}


def command_bytes(command: str, parameter: str | None = None) -> bytes:
    """A request as cgminer takes it: {"command": ..., "parameter": ...}."""
    request: dict[str, str] = {"command": command}
    if parameter is not None:
        request["parameter"] = parameter
    return json.dumps(request).encode()


async def exchange(host: str, port: int, request: bytes, deadline_s: float) -> bytes:
    """Sends `request` on a connection of its own and returns the whole reply, at most 1 MiB.

    A reply ends with its NUL or with the end of the connection. Raises `DeviceTimeoutError` (no
    complete reply in `deadline_s`), `DeviceUnreachableError` (no connection, reset, or closed
    without a byte) and `MalformedReplyError` (longer than 1 MiB).
    """
    try:
        async with asyncio.timeout(deadline_s):
            return await _exchange(host, port, request)
    except TimeoutError as error:
        raise DeviceTimeoutError(f"{host}:{port} gave no reply within {deadline_s:g} s") from error
    except (OSError, UnicodeError) as error:
        raise DeviceUnreachableError(f"{host}:{port}: {error}") from error


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        reply = await _read_reply(reader)
    except BaseException:
        writer.transport.abort()  # a device that hangs must not hold up the close as well
        raise
    writer.close()
    if not reply:
        raise DeviceUnreachableError(f"{host}:{port} closed the connection without a reply")
    return reply


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    parts = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        parts += chunk
        if len(parts) > MAX_REPLY_BYTES:
            raise MalformedReplyError(f"the reply is longer than {MAX_REPLY_BYTES} bytes")
        if chunk.endswith(b"\0"):
            break
    return bytes(parts)


def parse_reply(raw: bytes) -> dict[str, Any]:
    """The JSON object of a reply, NUL tail and printf's deviations allowed (see `lenient_json`).

    Raises `MalformedReplyError` when it is none. Looks at no STATUS; see `expect_success`.
    """
    if len(raw) > MAX_REPLY_BYTES:
        raise MalformedReplyError(f"the reply is longer than {MAX_REPLY_BYTES} bytes")
    try:
        reply = loads(raw.rstrip(b"\0 \t\r\n"))
    except NotJsonError as error:
        raise MalformedReplyError(f"the reply is no JSON: {error}") from error
    if not isinstance(reply, dict):
        raise MalformedReplyError(f"the reply is a JSON {type(reply).__name__}, not an object")
    return reply


def status_of(reply: dict[str, Any]) -> Status | None:
    """A reply's first STATUS; None when it carries none.

    Takes the list of cgminer ({"STATUS": [{"STATUS": "S", "Code": 7, "Msg": ...}]}) and the flat
    form of btminer ({"STATUS": "E", "Code": 14, "Msg": "invalid cmd"}).
    """
    status: object = reply.get("STATUS")
    if isinstance(status, list) and status:
        status = status[0]
    fields = status if isinstance(status, dict) else reply
    letter = fields.get("STATUS")
    if not isinstance(letter, str):
        return None
    code, message = fields.get("Code"), fields.get("Msg")
    return Status(
        letter=letter.upper()[:1],
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=message if isinstance(message, str) else "",
    )


def expect_success(reply: dict[str, Any], what: str) -> dict[str, Any]:
    """The reply itself; `DeviceRefusedError` when its STATUS is an error, `MalformedReplyError`
    when it has none. `what` names the command in the message."""
    status = status_of(reply)
    if status is None:
        raise MalformedReplyError(f"{what}: the reply has no STATUS")
    if status.failed:
        raise DeviceRefusedError(f"{what}: {status.message or 'refused'}"[:200], status.code)
    return reply


def reply_source(reply: Raw, what: str) -> Source:
    """The reply parsed, or the `DeviceError` that says why there is none: for readings, in which a
    part that failed makes its own fields unknown and no others."""
    return source_of(reply, lambda body: expect_success(parse_reply(body), what))
