"""Replies of API v1 and v2 (TCP 4028) to a reading. Pure.

Source: MicroBT, "WhatsMiner API" V1.3.8 and V2.0.5, "Readable API", and captures of both. Hashrates
are MH/s, except "Factory GHS". v1 puts quotes round its firmware version and calls a stopped miner
`btmineroff`; v2 adds `get_error_code` and says `mineroff`.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.cgminer import expect_success, parse_reply
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
from firmware_bridges.miners.whatsminer.faults import fault_list
from firmware_bridges.readings import (
    BoardReading,
    FanReading,
    Fault,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Reason, Unknown

Raw: TypeAlias = bytes | DeviceError
"""A reply as it came, or the error that its command ended with."""

POLLED: Final = ("summary", "devs", "pools", "status")
POLLED_V2: Final = (*POLLED, "get_error_code")
RARELY: Final = ("get_version", "devdetails")
RARELY_V2: Final = (*RARELY, "get_miner_info")

_TH_IN_MH: Final = 1e-6
_TH_IN_GH: Final = 1e-3
_COLD_C: Final = -60.0
_HOT_C: Final = 250.0
_ALIVE: Final = {
    "Alive": True,
    "Dead": False,
    "Disabled": False,
    "Sick": False,
    "NoStart": False,
    "Initialising": False,
    "Rejecting": False,
    "Unknown": False,
}


def open_all(replies: Mapping[str, Raw]) -> dict[str, Source]:
    """Every command's reply parsed, or why there is none. Raises what the first command ended with
    when there is nothing to read in any."""
    sources = {command: opened(reply, command) for command, reply in replies.items()}
    failures = [source for source in sources.values() if isinstance(source, DeviceError)]
    if failures and len(failures) == len(sources):
        raise failures[0]
    return sources


def opened(reply: Raw, command: str) -> Source:
    """One command's reply parsed, or why there is none."""
    if isinstance(reply, DeviceError):
        return reply
    try:
        return expect_success(parse_reply(reply), command)
    except DeviceError as error:
        return error


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
        preset=first_reported(
            _lower(text(summary, *at, "Power Mode")), _lower(text(status, "Msg", "power_mode"))
        ),
        temperature_c=first_reported(
            _celsius(summary, *at, "Chip Temp Max"), _celsius(summary, *at, "Temperature")
        ),
        inlet_temperature_c=_celsius(summary, *at, "Env Temp"),
        uptime_s=first_reported(integer(summary, *at, "Uptime"), integer(summary, *at, "Elapsed")),
        boards=_boards(sources.get("devs", ABSENT)),
        fans=_fans(summary, at),
        pools=_pools(sources.get("pools", ABSENT)),
        faults=_faults(sources.get("get_error_code", ABSENT), summary),
    )


def _short_average(source: Source, at: tuple[str | int, ...]) -> Measured[float]:
    keys = ("MHS 1m", "MHS 5m", "MHS 15m", "MHS av")
    return first_reported(*(number(source, *at, key, scale=_TH_IN_MH) for key in keys))


def _boards(devs: Source) -> Measured[tuple[BoardReading, ...]]:
    listed = items(devs, "DEVS")
    if isinstance(listed, Unknown):
        return listed
    return tuple(_board(index, board) for index, board in enumerate(listed))


def _board(index: int, board: Mapping[str, Any]) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=first_reported(
            number(board, "MHS 5s", scale=_TH_IN_MH), _short_average(board, ())
        ),
        nominal_hashrate_ths=number(board, "Factory GHS", scale=_TH_IN_GH),
        temperature_c=_celsius(board, "Temperature"),
        chip_temperature_c=_celsius(board, "Chip Temp Max"),
        chips=integer(board, "Effective Chips"),
        frequency_mhz=first_reported(number(board, "Chip Frequency"), number(board, "Frequency")),
        hardware_errors=integer(board, "Hardware Errors"),
        active=one_of(text(board, "Status"), _ALIVE, "Status"),
        serial=text(board, "PCB SN"),
    )


def _fans(summary: Source, at: tuple[str | int, ...]) -> Measured[tuple[FanReading, ...]]:
    speeds = [integer(summary, *at, key) for key in ("Fan Speed In", "Fan Speed Out")]
    if all(isinstance(speed, Unknown) for speed in speeds):
        return first_reported(*(speed for speed in speeds if isinstance(speed, Unknown)))
    return tuple(FanReading(index, speed) for index, speed in enumerate(speeds))


def _pools(pools: Source) -> Measured[tuple[PoolReading, ...]]:
    listed = items(pools, "POOLS")
    if isinstance(listed, Unknown):
        return listed
    return tuple(
        PoolReading(
            index=index,
            url=text(pool, "URL"),
            worker=text(pool, "User"),
            alive=one_of(text(pool, "Status"), _ALIVE, "Status"),
            active=flag(pool, "Stratum Active"),
            accepted=integer(pool, "Accepted"),
            rejected=integer(pool, "Rejected"),
            stale=integer(pool, "Stale"),
        )
        for index, pool in enumerate(listed)
    )


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


def _celsius(source: Source, *path: str | int) -> Measured[float]:
    return number(source, *path, low=_COLD_C, high=_HOT_C)


def _unreported(value: object) -> bool:
    return isinstance(value, Unknown) and value.reason is Reason.NOT_REPORTED


def _inverted(value: Measured[bool]) -> Measured[bool]:
    return value if isinstance(value, Unknown) else not value


def _lower(value: Measured[str]) -> Measured[str]:
    return value if isinstance(value, Unknown) else value.lower()


def _unquoted(value: Measured[str]) -> Measured[str]:
    return value if isinstance(value, Unknown) else value.strip("'") or ABSENT
