"""Replies of API v3 (TCP 4433) to a reading. Pure.

Source: MicroBT, "Whatsminer API documentation" 3.0.1, "get.device.info", "get.miner.status" and
"get.miner.setting", and captures. Hashrates are TH/s.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from firmware_bridges.errors import MalformedReplyError
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    celsius,
    each,
    flag,
    integer,
    items,
    number,
    one_of,
    raw,
    text,
    word,
)
from firmware_bridges.miners.preference import first_reported
from firmware_bridges.miners.replies import Raw, require_one, source_of
from firmware_bridges.miners.whatsminer import v3_wire
from firmware_bridges.miners.whatsminer.fans import fan_pair
from firmware_bridges.miners.whatsminer.faults import fault_list
from firmware_bridges.readings import (
    BoardReading,
    Identity,
    MinerReading,
    PoolReading,
)

DEVICE: Final = "get.device.info"
STATUS: Final = "get.miner.status"
STATUS_PARAM: Final = "summary+pools+edevs"
SETTING: Final = "get.miner.setting"

_ALIVE: Final = {"alive": True, "dead": False, "disabled": False, "unknown": False}


def opened(reply: Raw, command: str) -> Source:
    """One command's `msg`, or why there is none."""

    def message(body: bytes) -> Mapping[str, Any]:
        content = v3_wire.message(body, command)
        if not isinstance(content, Mapping):
            raise MalformedReplyError(f"{command}: msg is no object")
        return content

    return source_of(reply, message)


def parse_reading(replies: Mapping[str, Raw]) -> MinerReading:
    """One snapshot of whatever was answered. `uptime_s` is the control board's ("bootup-time").

    Raises what the first command ended with when there is nothing to read in any.
    """
    sources = {command: opened(reply, command) for command, reply in replies.items()}
    require_one(sources.values())
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
        preset=word(setting, "power-mode"),
        temperature_c=celsius(status, "summary", "chip-temp-max"),
        inlet_temperature_c=celsius(status, "summary", "environment-temperature"),
        uptime_s=integer(status, "summary", "bootup-time"),
        boards=each(items(status, "edevs"), partial(_board, status, device)),
        fans=fan_pair(
            integer(status, "summary", "fan-speed-in"), integer(status, "summary", "fan-speed-out")
        ),
        pools=each(items(status, "pools"), _pool),
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


def _board(status: Source, device: Source, index: int, board: Mapping[str, Any]) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=first_reported(number(board, "hash-realtime"), number(board, "hash-average")),
        nominal_hashrate_ths=number(board, "factory-hash"),
        temperature_c=celsius(status, "summary", "board-temperature", index),
        chip_temperature_c=celsius(board, "chip-temp-max"),
        chips=integer(board, "effective-chips"),
        frequency_mhz=number(board, "freq"),
        active=one_of(text(board, "status"), _ALIVE, "status"),
        serial=text(device, "miner", f"pcbsn{index}"),
    )


def _pool(index: int, pool: Mapping[str, Any]) -> PoolReading:
    return PoolReading(
        index=index,
        url=text(pool, "url"),
        worker=text(pool, "account"),
        alive=one_of(text(pool, "status"), _ALIVE, "status"),
        active=flag(pool, "stratum-active"),
        accepted=integer(pool, "accepted"),
        rejected=integer(pool, "rejected"),
        stale=integer(pool, "stale"),
    )
