"""Replies of the REST API (Braiins OS 23.03 and later) to a reading. Pure.

Source: braiins/bos-plus-api (`proto/bos/v1`), whose messages the REST API mirrors, and captures of
25.07. Numbers stand in objects that name their unit ({"watt": 3137}).
"""

from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.capabilities import PowerRange
from firmware_bridges.errors import MalformedReplyError
from firmware_bridges.miners.braiins.pool_groups import pools_of
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    celsius,
    each,
    flag,
    integer,
    iso_time_ms,
    items,
    number,
    raw,
    text,
)
from firmware_bridges.miners.http import parse_json
from firmware_bridges.miners.preference import first_reported
from firmware_bridges.miners.replies import Raw, require_one, source_of
from firmware_bridges.readings import (
    BoardReading,
    FanReading,
    Fault,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Reason, Unknown

DETAILS: Final = "miner/details"
STATS: Final = "miner/stats"
BOARDS: Final = "miner/hw/hashboards"
COOLING: Final = "cooling/state"
POOLS: Final = "pools"
TUNER: Final = "performance/tuner-state"
ERRORS: Final = "miner/errors"
POLLED: Final = (DETAILS, STATS, BOARDS, COOLING, POOLS, TUNER, ERRORS)
CONSTRAINTS: Final = "configuration/constraints"

NOT_STARTED: Final = 1
_MINING: Final = {1: False, 2: True, 3: False, 4: False, 5: True}
"""MinerStatus: not started, normal, paused, suspended, restricted."""

UNCODED: Final = "uncoded"
"""The code of a fault that Braiins OS states in words only; an empty one would read as none."""

_MOST: Final = 64
_GHS: Final = "gigahash_per_second"


def opened(reply: Raw, endpoint: str) -> Source:
    """A reply parsed, or why there is none; a bare list stands under its endpoint's name."""

    def content(body: bytes) -> Mapping[str, Any]:
        parsed = parse_json(body, endpoint)
        if isinstance(parsed, list):
            return {endpoint: parsed}
        if not isinstance(parsed, Mapping):
            raise MalformedReplyError(f"{endpoint}: neither an object nor a list")
        return parsed

    return source_of(reply, content)


def parse_reading(replies: Mapping[str, Raw]) -> MinerReading:
    """One snapshot of whatever was answered. `uptime_s` is the control board's.

    Raises what the first request ended with when there is nothing to read in any.
    """
    sources = {endpoint: opened(reply, endpoint) for endpoint, reply in replies.items()}
    require_one(sources.values())
    details, stats = sources.get(DETAILS, ABSENT), sources.get(STATS, ABSENT)
    cooling, tuner = sources.get(COOLING, ABSENT), sources.get(TUNER, ABSENT)
    target = ("powertargetmodestate", "current_target", "watt")
    hottest = ("highest_temperature", "temperature", "degree_c")
    return MinerReading(
        identity=_identity(details),
        mining=_mining(details),
        hashrate_ths=_shortest(stats, "miner_stats"),
        average_hashrate_ths=_average(stats, "miner_stats", "since_restart"),
        nominal_hashrate_ths=first_reported(
            _hashrate(stats, "miner_stats", "nominal_hashrate", _GHS),
            _hashrate(details, "sticker_hashrate", _GHS),
        ),
        power_w=number(stats, "power_stats", "approximated_consumption", "watt"),
        power_limit_w=number(tuner, "mode_state", *target),
        preset=_mode(tuner),
        temperature_c=celsius(cooling, *hottest),
        uptime_s=first_reported(
            integer(details, "system_uptime_s"), integer(details, "system_uptime")
        ),
        boards=each(items(sources.get(BOARDS, ABSENT), "hashboards"), _board),
        fans=each(items(cooling, "fans"), _fan),
        pools=each(pools_of(items(sources.get(POOLS, ABSENT), POOLS)), _pool),
        faults=_faults(sources.get(ERRORS, ABSENT)),
    )


def status_of(details: Source) -> Measured[int]:
    """The number of MinerStatus."""
    return integer(details, "status")


def power_range(constraints: Source) -> PowerRange | None:
    """The power targets the tuner takes; None when the miner states none."""
    at = ("tuner_constraints", "power_target")
    least, most = (integer(constraints, *at, end, "watt", low=1) for end in ("min", "max"))
    if isinstance(least, Unknown) or isinstance(most, Unknown) or least > most:
        return None
    return PowerRange(least, most)


def _identity(details: Source) -> Identity:
    return Identity(
        model=first_reported(
            text(details, "miner_identity", "miner_model"), text(details, "miner_identity", "name")
        ),
        firmware=text(details, "bos_version", "current"),
        serial=text(details, "serial_number"),
        mac=text(details, "mac_address"),
        hostname=text(details, "hostname"),
    )


def _mining(details: Source) -> Measured[bool]:
    status = status_of(details)
    if isinstance(status, Unknown):
        return status
    if status not in _MINING:
        return Unknown(Reason.MALFORMED, f"status is {status}, not 1 to 5")
    return _MINING[status]


def _mode(tuner: Source) -> Measured[str]:
    """The tuner's mode: "power_target" or "hashrate_target"."""
    state = raw(tuner, "mode_state")
    if isinstance(state, Unknown):
        return state
    for name in ("power_target", "hashrate_target"):
        if isinstance(state, Mapping) and f"{name.replace('_', '')}modestate" in state:
            return name
    return Unknown(Reason.MALFORMED, "mode_state is of no known mode")


def _board(index: int, board: Mapping[str, Any]) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=_shortest(board, "stats"),
        nominal_hashrate_ths=_hashrate(board, "stats", "nominal_hashrate", _GHS),
        temperature_c=celsius(board, "board_temp", "degree_c"),
        chip_temperature_c=celsius(board, "highest_chip_temp", "temperature", "degree_c"),
        inlet_temperature_c=celsius(board, "lowest_inlet_temp", "degree_c"),
        outlet_temperature_c=celsius(board, "highest_outlet_temp", "degree_c"),
        chips=integer(board, "chips_count"),
        frequency_mhz=number(board, "current_frequency", "hertz", scale=1e-6),
        voltage_v=number(board, "current_voltage", "volt"),
        active=flag(board, "enabled"),
        serial=text(board, "serial_number"),
    )


def _fan(index: int, fan: Mapping[str, Any]) -> FanReading:
    return FanReading(index, integer(fan, "rpm"))


def _pool(index: int, pool: Mapping[str, Any]) -> PoolReading:
    return PoolReading(
        index=index,
        url=text(pool, "url"),
        worker=text(pool, "user"),
        alive=flag(pool, "alive"),
        active=flag(pool, "active"),
        accepted=integer(pool, "stats", "accepted_shares"),
        rejected=integer(pool, "stats", "rejected_shares"),
        stale=integer(pool, "stats", "stale_shares"),
    )


def _faults(errors: Source) -> Measured[tuple[Fault, ...]]:
    listed = items(errors, "errors", most=_MOST)
    if isinstance(listed, Unknown):
        return listed
    faults: list[Fault] = []
    for error in listed:
        message = text(error, "message")
        if isinstance(message, Unknown):
            return message
        faults.append(Fault(_code(error), message, iso_time_ms(text(error, "timestamp"))))
    return tuple(faults)


def _code(error: Mapping[str, Any]) -> str:
    """The first of its codes ({"code": ..., "reason": ..., "hint": ...})."""
    code = text(error, "error_codes", 0, "code")
    return UNCODED if isinstance(code, Unknown) else code[:40]


def _shortest(source: Source, at: str) -> Measured[float]:
    spans = ("last_5s", "last_15s", "last_30s", "last_1m", "last_5m", "last_15m", "since_restart")
    return first_reported(*(_average(source, at, span) for span in spans))


def _average(source: Source, at: str, span: str) -> Measured[float]:
    return _hashrate(source, at, "real_hashrate", span, _GHS)


def _hashrate(source: Source, *path: str) -> Measured[float]:
    return number(source, *path, scale=1e-3)
