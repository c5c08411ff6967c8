"""The device's side of the 4028 API: requests in, NUL-terminated JSON out.

Source: `API-README` and `api.c` of ckolivas/cgminer: one request a connection, commands joined by
"+" answered as {"command": [reply], ...}, code 14 for a command that does not exist and 23 for a
request that is no JSON.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from firmware_bridges.simulators.tcp import Exchange

MAX_REQUEST_BYTES = 16 * 1024

Answer = Callable[[str, str], bytes | None]
"""The JSON reply to (command, parameter); None ends the connection without a reply."""


def status(letter: str, code: int, message: str, description: str) -> list[dict[str, Any]]:
    """The STATUS list that every reply carries."""
    return [
        {
            "STATUS": letter,
            "When": int(time.time()),
            "Code": code,
            "Msg": message,
            "Description": description,
        }
    ]


def refusal(code: int, message: str, description: str) -> bytes:
    """A reply that says no."""
    return json.dumps({"STATUS": status("E", code, message, description), "id": 1}).encode()


def cgminer_exchange(answer: Answer, description: str, *, joined: bool = True) -> Exchange:
    """An `Exchange` for `TcpSimulator` that speaks the 4028 API; without `joined` it takes one
    command at a time, as early firmware does."""

    async def exchange(reader: asyncio.StreamReader) -> bytes | None:
        request = await _read_request(reader)
        if request is None:
            return None
        command, parameter = request.get("command"), request.get("parameter", "")
        if not isinstance(command, str) or not isinstance(parameter, str):
            return refusal(23, "Invalid JSON", description) + b"\0"
        if "+" not in command or not joined:
            reply = answer(command, parameter)
        else:
            reply = _join(answer, command.split("+"))
        return None if reply is None else reply + b"\0"

    return exchange


def replay(captures: Mapping[str, bytes], description: str = "replayed") -> Answer:
    """Answers with captured replies; the keys are "summary" or, with a parameter,
    "voltageget_0"."""

    def answer(command: str, parameter: str) -> bytes:
        name = f"{command}_{parameter}" if parameter else command
        capture = captures.get(name)
        return refusal(14, "Invalid command", description) if capture is None else capture

    return answer


def _join(answer: Answer, commands: list[str]) -> bytes | None:
    parts: list[bytes] = []
    for command in commands[:32]:
        reply = answer(command, "")
        if reply is None:
            return None
        parts.append(json.dumps(command).encode() + b":[" + reply + b"]")
    return b"{" + b",".join(parts) + b',"id":1}'


async def _read_request(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The request as soon as it is whole; an empty one when it is no JSON object, None when the
    client left."""
    received = b""
    while len(received) < MAX_REQUEST_BYTES:
        chunk = await reader.read(4096)
        if not chunk:
            return None if not received else {}
        received += chunk
        try:
            request = json.loads(received.rstrip(b"\0\n"))
        except ValueError:
            continue
        return request if isinstance(request, dict) else {}
    return {}
