"""What a miner can be told to do, as values that the wire, the decisions and the drivers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor

MAX_POWER_W = 1_000_000


@dataclass(frozen=True, slots=True)
class Stop:
    """Hash no more; the control board stays up."""


@dataclass(frozen=True, slots=True)
class Run:
    """Hash at the operating point that the device is configured for."""


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """Hash with at most this wall power, in watts; a stopped miner starts."""

    power_w: int


@dataclass(frozen=True, slots=True)
class Preset:
    """Hash at a point the device knows by name (profile, mode, preset); a stopped miner starts."""

    name: str


Setpoint = Stop | Run | PowerLimit | Preset


def energises(setpoint: Setpoint) -> bool:
    """Whether carrying it out may make the device draw hashing power."""
    return not isinstance(setpoint, Stop)


def setpoint_to_data(setpoint: Setpoint) -> dict[str, Any]:
    """As plain data: {"kind": "stop" | "run" | "power_limit" | "preset", ...}."""
    match setpoint:
        case Stop():
            return {"kind": "stop"}
        case Run():
            return {"kind": "run"}
        case PowerLimit(power_w):
            return {"kind": "power_limit", "power_w": power_w}
        case Preset(name):
            return {"kind": "preset", "name": name}


def setpoint_from_data(data: Mapping[str, Any]) -> Setpoint:
    """Reads plain data; `BadInputError` when it is no setpoint."""
    match dict(data):
        case {"kind": "stop", **rest} if not rest:
            return Stop()
        case {"kind": "run", **rest} if not rest:
            return Run()
        case {"kind": "power_limit", "power_w": power_w, **rest} if not rest:
            return PowerLimit(cbor.expect_int(power_w, "setpoint.power_w", 1, MAX_POWER_W))
        case {"kind": "preset", "name": name, **rest} if not rest:
            return Preset(cbor.expect_text(name, "setpoint.name", 80))
    raise BadInputError(
        "setpoint",
        repr(dict(data))[:80],
        "kind stop | run | power_limit with power_w | preset with name",
    )
