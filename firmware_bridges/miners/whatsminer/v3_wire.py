"""API v3: frames and tokens. Pure.

Source: MicroBT, "Whatsminer API documentation" 3.0.1, "TCP Data Framing" and "Token Generation";
compared with ya-whatsminer-cli and asic-rs' `v3/rpc.rs`. The token covers a timestamp; this driver
takes the miner's own (`when` in the reply that carries the salt), so that a host whose clock is
off, or runs at another pace, still writes. Commands that need encrypted parameters
(set.miner.pools, set.user.change_passwd) are none of this driver's.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridges.errors import DeviceRefusedError, MalformedReplyError, NotAuthorisedError
from firmware_bridges.miners.http import parse_json

MAX_FRAME_BYTES = 1024 * 1024
HEADER_BYTES = 4
_NO_PERMISSION = -4
_MEANING = {
    -1: "failed",
    -2: "invalid command",
    -3: "invalid JSON item",
    -4: "no permission",
    -5: "out of memory",
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a write's token is made with: the miner's salt and its own time, in seconds."""

    salt: str
    time_s: int


def frame(body: bytes) -> bytes:
    """A message with its length in 4 bytes, little endian, before it."""
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def frame_length(header: bytes) -> int:
    """The length that a header announces; 0 is a heartbeat."""
    length = int.from_bytes(header, "little")
    if length > MAX_FRAME_BYTES:
        raise MalformedReplyError(f"a frame of {length} bytes (at most {MAX_FRAME_BYTES})")
    return length


def request(command: str, param: object = None) -> bytes:
    """A read, framed."""
    body: dict[str, object] = {"cmd": command}
    if param is not None:
        body["param"] = param
    return frame(json.dumps(body, separators=(",", ":")).encode("ascii"))


def write_request(
    command: str, param: object, challenge: Challenge, account: str, password: str
) -> bytes:
    """A write, framed, with its token."""
    body: dict[str, object] = {
        "cmd": command,
        "ts": challenge.time_s,
        "token": token(command, password, challenge),
        "account": account,
    }
    if param is not None:
        body["param"] = param
    return frame(json.dumps(body, separators=(",", ":")).encode("ascii"))


def token(command: str, password: str, challenge: Challenge) -> str:
    """The first 8 characters of base64(SHA-256(command + password + salt + time))."""
    text = f"{command}{password}{challenge.salt}{challenge.time_s}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()[:8]


def message(raw: bytes, command: str) -> Any:
    """The `msg` of a reply; raises what its `code` says went wrong."""
    reply = parse_json(raw, command)
    if not isinstance(reply, Mapping):
        raise MalformedReplyError(f"{command}: the reply is no object")
    code = reply.get("code")
    if not isinstance(code, int) or isinstance(code, bool):
        raise MalformedReplyError(f"{command}: no code in the reply")
    if code != 0:
        said = f"{command}: {_MEANING.get(code, 'refused')}, {reply.get('msg')!r} (code {code})"
        refused = NotAuthorisedError if code == _NO_PERMISSION else DeviceRefusedError
        raise refused(said[:160], code)
    if reply.get("desc", command) != command:
        raise MalformedReplyError(f"{command}: a reply to {reply['desc']!r}"[:160])
    if "msg" not in reply:
        raise MalformedReplyError(f"{command}: no msg in the reply")
    return reply["msg"]


def challenge_from(raw: bytes) -> Challenge:
    """Reads the reply to get.device.info with the parameter "salt"."""
    content = message(raw, "get.device.info")
    when = parse_json(raw, "get.device.info salt").get("when")
    match content, when:
        case {"salt": str(salt)}, int(time_s) if not isinstance(time_s, bool):
            return Challenge(salt, time_s)
    raise MalformedReplyError("get.device.info salt: no salt and when")
