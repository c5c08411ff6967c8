"""Replies of API v3 (TCP 4433) to a reading. Pure.

Source: MicroBT, "Whatsminer API documentation" 3.0.1, "get.device.info", "get.miner.status" and
"get.miner.setting", and captures. Hashrates are TH/s.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from firmware_bridges.errors import DeviceError, MalformedReplyError
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    flag,
    integer,
    items,
    number,
    one_of,
    raw,
    text,
)
from firmware_bridges.miners.preference import first_reported
from firmware_bridges.miners.whatsminer import v3_wire
from firmware_bridges.miners.whatsminer.faults import fault_list
from firmware_bridges.readings import (
    BoardReading,
    FanReading,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Unknown

Raw: TypeAlias = bytes | DeviceError
"""A reply's body as it came, or the error that its command ended with."""

DEVICE: Final = "get.device.info"
STATUS: Final = "get.miner.status"
STATUS_PARAM: Final = "summary+pools+edevs"
SETTING: Final = "get.miner.setting"

_COLD_C: Final = -60.0
_HOT_C: Final = 250.0
_ALIVE: Final = {"alive": True, "dead": False, "disabled": False, "unknown": False}


def opened(reply: Raw, command: str) -> Source:
    """One command's `msg`, or why there is none."""
    if isinstance(reply, DeviceError):
        return reply
    try:
        content = v3_wire.message(reply, command)
    except DeviceError as error:
        return error
    if not isinstance(content, Mapping):
        return MalformedReplyError(f"{command}: msg is no object")
    return content


def parse_reading(replies: Mapping[str, Raw]) -> MinerReading:
    """One snapshot of whatever was answered. `uptime_s` is the control board's ("bootup-time").

    Raises what the first command ended with when there is nothing to read in any.
    """
    sources = {command: opened(reply, command) for command, reply in replies.items()}
    failures = [source for source in sources.values() if isinstance(source, DeviceError)]
    if failures and len(failures) == len(sources):
        raise failures[0]
    device, status = sources.get(DEVICE, ABSENT), sources.get(STATUS, ABSENT)
    setting = sources.get(SETTING, ABSENT)
    return MinerReading(
        identity=_identity(device),
        mining=flag(device, "miner", "working"),
        hashrate_ths=first_reported(
            *(number(status, "summary", f"hash-{span}") for span in ("realtime", "1min", "15min")),
            number(status, "summary", "hash-average"),
        ),
        average_hashrate_ths=number(status, "summary", "hash-average"),
        nominal_hashrate_ths=number(status, "summary", "factory-hash"),
        power_w=first_reported(
            number(status, "summary", "power-realtime"), number(status, "summary", "power-5min")
        ),
        power_limit_w=first_reported(
            number(status, "summary", "power-limit"), number(setting, "power-limit")
        ),
        preset=_lower(text(setting, "power-mode")),
        temperature_c=_celsius(status, "summary", "chip-temp-max"),
        inlet_temperature_c=_celsius(status, "summary", "environment-temperature"),
        uptime_s=integer(status, "summary", "bootup-time"),
        boards=_boards(status, device),
        fans=_fans(status),
        pools=_pools(status),
        faults=fault_list(raw(device, "error-code"), "error-code"),
    )


def _identity(device: Source) -> Identity:
    return Identity(
        model=text(device, "miner", "type"),
        firmware=text(device, "system", "fwversion"),
        serial=text(device, "miner", "miner-sn"),
        mac=text(device, "network", "mac"),
        hostname=text(device, "network", "hostname"),
    )


def _boards(status: Source, device: Source) -> Measured[tuple[BoardReading, ...]]:
    listed = items(status, "edevs")
    if isinstance(listed, Unknown):
        return listed
    return tuple(_board(index, board, status, device) for index, board in enumerate(listed))


def _board(index: int, board: Mapping[str, Any], status: Source, device: Source) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=first_reported(number(board, "hash-realtime"), number(board, "hash-average")),
        nominal_hashrate_ths=number(board, "factory-hash"),
        temperature_c=_celsius(status, "summary", "board-temperature", index),
        chip_temperature_c=_celsius(board, "chip-temp-max"),
        chips=integer(board, "effective-chips"),
        frequency_mhz=number(board, "freq"),
        active=one_of(text(board, "status"), _ALIVE, "status"),
        serial=text(device, "miner", f"pcbsn{index}"),
    )


def _fans(status: Source) -> Measured[tuple[FanReading, ...]]:
    speeds = [integer(status, "summary", f"fan-speed-{side}") for side in ("in", "out")]
    if all(isinstance(speed, Unknown) for speed in speeds):
        return first_reported(*(speed for speed in speeds if isinstance(speed, Unknown)))
    return tuple(FanReading(index, speed) for index, speed in enumerate(speeds))


def _pools(status: Source) -> Measured[tuple[PoolReading, ...]]:
    listed = items(status, "pools")
    if isinstance(listed, Unknown):
        return listed
    return tuple(
        PoolReading(
            index=index,
            url=text(pool, "url"),
            worker=text(pool, "account"),
            alive=one_of(text(pool, "status"), _ALIVE, "status"),
            active=flag(pool, "stratum-active"),
            accepted=integer(pool, "accepted"),
            rejected=integer(pool, "rejected"),
            stale=integer(pool, "stale"),
        )
        for index, pool in enumerate(listed)
    )


def _celsius(source: Source, *path: str | int) -> Measured[float]:
    return number(source, *path, low=_COLD_C, high=_HOT_C)


def _lower(value: Measured[str]) -> Measured[str]:
    return value if isinstance(value, Unknown) else value.lower()
