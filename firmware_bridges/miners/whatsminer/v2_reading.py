"""Replies of API v1 and v2 (TCP 4028) to a reading. Pure.

Source: MicroBT, "WhatsMiner API" V1.3.8 and V2.0.5, "Readable API", and captures of both. Hashrates
are MH/s, except "Factory GHS". v1 puts quotes round its firmware version and calls a stopped miner
`btmineroff`; v2 adds `get_error_code` and says `mineroff`.
"""

from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.miners.cgminer import reply_source
from firmware_bridges.miners.cgminer_pools import ALIVE, pool_reading
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
from firmware_bridges.miners.replies import Raw, require_one
from firmware_bridges.miners.whatsminer.fans import fan_pair
from firmware_bridges.miners.whatsminer.faults import fault_list
from firmware_bridges.readings import (
    BoardReading,
    Fault,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Reason, Unknown

POLLED: Final = ("summary", "devs", "pools", "status")
POLLED_V2: Final = (*POLLED, "get_error_code")
RARELY: Final = ("get_version", "devdetails")
RARELY_V2: Final = (*RARELY, "get_miner_info")

_TH_IN_MH: Final = 1e-6
_TH_IN_GH: Final = 1e-3
_ALIVE: Final = {
    **ALIVE,
    "Sick": False,
    "NoStart": False,
    "Initialising": False,
    "Unknown": False,
}


def open_all(replies: Mapping[str, Raw]) -> dict[str, Source]:
    """Every command's reply parsed, or why there is none. Raises what the first command ended with
    when there is nothing to read in any."""
    sources = {command: reply_source(reply, command) for command, reply in replies.items()}
    require_one(sources.values())
    return sources


def api_version(get_version: Source) -> Measured[str]:
    """The API's version of `get_version`, such as "2.0.5"; v1 writes "whatsminer v1.4.0"."""
    version = text(get_version, "Msg", "api_ver")
    return version if isinstance(version, Unknown) else version.removeprefix("whatsminer v")


def firmware(sources: Mapping[str, Source]) -> Measured[str]:
    """The firmware, from `get_version`, or else from what is polled anyway."""
    summary, status = sources.get("summary", ABSENT), sources.get("status", ABSENT)
    candidates = (
        text(sources.get("get_version", ABSENT), "Msg", "fw_ver"),
        text(summary, "SUMMARY", 0, "Firmware Version"),
        text(status, "Msg", "FirmwareVersion"),
        text(status, "Msg", "Firmware Version"),
    )
    return first_reported(*(_unquoted(candidate) for candidate in candidates))


def parse_identity(sources: Mapping[str, Source]) -> Identity:
    """Who the miner is; it reports no serial number of the whole device."""
    info = sources.get("get_miner_info", ABSENT)
    return Identity(
        model=text(sources.get("devdetails", ABSENT), "DEVDETAILS", 0, "Model"),
        firmware=firmware(sources),
        mac=first_reported(
            text(info, "Msg", "mac"),
            text(sources.get("summary", ABSENT), "SUMMARY", 0, "MAC"),
        ),
        hostname=text(info, "Msg", "hostname"),
    )


def parse_reading(sources: Mapping[str, Source], identity: Identity) -> MinerReading:
    """One snapshot of whatever was answered. `uptime_s` is the control board's."""
    summary, status = sources.get("summary", ABSENT), sources.get("status", ABSENT)
    at = ("SUMMARY", 0)
    return MinerReading(
        identity=identity,
        mining=_inverted(
            first_reported(flag(status, "Msg", "mineroff"), flag(status, "Msg", "btmineroff"))
        ),
        hashrate_ths=first_reported(
            *(number(summary, *at, key, scale=_TH_IN_MH) for key in ("MHS 5s", "HS RT")),
            _short_average(summary, at),
        ),
        average_hashrate_ths=number(summary, *at, "MHS av", scale=_TH_IN_MH),
        nominal_hashrate_ths=number(summary, *at, "Factory GHS", scale=_TH_IN_GH),
        power_w=number(summary, *at, "Power"),
        power_limit_w=first_reported(
            number(summary, *at, "Power Limit"), number(status, "Msg", "power_limit_set")
        ),
        preset=first_reported(word(summary, *at, "Power Mode"), word(status, "Msg", "power_mode")),
        temperature_c=first_reported(
            celsius(summary, *at, "Chip Temp Max"), celsius(summary, *at, "Temperature")
        ),
        inlet_temperature_c=celsius(summary, *at, "Env Temp"),
        uptime_s=first_reported(integer(summary, *at, "Uptime"), integer(summary, *at, "Elapsed")),
        boards=each(items(sources.get("devs", ABSENT), "DEVS"), _board),
        fans=fan_pair(
            integer(summary, *at, "Fan Speed In"), integer(summary, *at, "Fan Speed Out")
        ),
        pools=each(items(sources.get("pools", ABSENT), "POOLS"), _pool),
        faults=_faults(sources.get("get_error_code", ABSENT), summary),
    )


def _short_average(source: Source, at: tuple[str | int, ...]) -> Measured[float]:
    keys = ("MHS 1m", "MHS 5m", "MHS 15m", "MHS av")
    return first_reported(*(number(source, *at, key, scale=_TH_IN_MH) for key in keys))


def _board(index: int, board: Mapping[str, Any]) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=first_reported(
            number(board, "MHS 5s", scale=_TH_IN_MH), _short_average(board, ())
        ),
        nominal_hashrate_ths=number(board, "Factory GHS", scale=_TH_IN_GH),
        temperature_c=celsius(board, "Temperature"),
        chip_temperature_c=celsius(board, "Chip Temp Max"),
        chips=integer(board, "Effective Chips"),
        frequency_mhz=first_reported(number(board, "Chip Frequency"), number(board, "Frequency")),
        hardware_errors=integer(board, "Hardware Errors"),
        active=one_of(text(board, "Status"), _ALIVE, "Status"),
        serial=text(board, "PCB SN"),
    )


def _pool(index: int, pool: Mapping[str, Any]) -> PoolReading:
    return pool_reading(index, pool, _ALIVE)


def _faults(errors: Source, summary: Source) -> Measured[tuple[Fault, ...]]:
    listed = raw(errors, "Msg", "error_code")
    if not isinstance(listed, Unknown):
        return fault_list(listed, "error_code")
    counted = _counted_faults(summary)
    return listed if _unreported(counted) else counted


def _counted_faults(summary: Source) -> Measured[tuple[Fault, ...]]:
    """v1 counts in the summary: "Error Code Count" and "Error Code 0" onwards."""
    count = integer(summary, "SUMMARY", 0, "Error Code Count", high=64)
    if isinstance(count, Unknown):
        return count
    codes = [raw(summary, "SUMMARY", 0, f"Error Code {index}") for index in range(count)]
    if any(isinstance(code, Unknown) for code in codes):
        return Unknown(Reason.MALFORMED, f"Error Code Count is {count}, but not all are there")
    return fault_list(codes, "Error Code")


def _unreported(value: object) -> bool:
    return isinstance(value, Unknown) and value.reason is Reason.NOT_REPORTED


def _inverted(value: Measured[bool]) -> Measured[bool]:
    return value if isinstance(value, Unknown) else not value


def _unquoted(value: Measured[str]) -> Measured[str]:
    return value if isinstance(value, Unknown) else value.strip("'") or ABSENT
