"""Replies of the GraphQL API (Braiins OS 21.09 to 22.08) to a reading. Pure.

Source: captures of 21.09 and 22.08, and asic-rs' `v21_09/mod.rs`. Hashrates are MH/s. A miner whose
bosminer is stopped has no `info`, or one without `workSolver` (asic-rs takes it for "not mining").
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    MalformedReplyError,
    NotAuthorisedError,
)
from firmware_bridges.miners.boards import hottest
from firmware_bridges.miners.braiins.pool_groups import pools_of
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
    text,
    word,
)
from firmware_bridges.miners.http import parse_json
from firmware_bridges.miners.preference import first_reported
from firmware_bridges.miners.replies import Raw, require_one, source_of
from firmware_bridges.readings import (
    BoardReading,
    FanReading,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Reason, Unknown

NETWORK: Final = "network"
"""Not GraphQL: LuCI's interface status, the only place that names the MAC address."""

QUERIES: Final[dict[str, str]] = {
    "system": (
        "{ bos { hostname info { version { full } } uptime { durationS } } bosminer { info {"
        " workSolver { realHashrate { mhs5S } nominalMhs } fans { name rpm speed }"
        " summary { power { approxConsumptionW limitW } } } } }"
    ),
    "boards": (
        "{ bosminer { info { workSolver { childSolvers { name realHashrate { mhs5S } nominalMhs"
        " hwDetails { chips frequencyMhz voltageV } temperatures { name degreesC } } } } } }"
    ),
    "pools": (
        "{ bosminer { info { poolGroups { name pools { url user status active"
        " shares { acceptedSolutions rejectedSolutions } } } } } }"
    ),
    "tuning": (
        "{ bosminer { config { ... on BosminerConfig { autotuning { mode powerTarget } } }"
        " info { summary { power { limitW } } } } }"
    ),
}

_ALIVE: Final = {
    "ALIVE": True,
    "RUNNING": True,
    "ACTIVE": True,
    "DEAD": False,
    "FAILED": False,
    "DISABLED": False,
    "INACTIVE": False,
    "UNKNOWN": False,
}
_INFO: Final = ("bosminer", "info")


def data_of(body: bytes, what: str) -> Mapping[str, Any]:
    """The `data` of a reply. An error beside it refuses the whole; one that speaks of a login or a
    session is `NotAuthorisedError`."""
    reply = parse_json(body, what)
    if not isinstance(reply, Mapping):
        raise MalformedReplyError(f"{what}: no object")
    errors = reply.get("errors")
    if errors:
        first = errors[0] if isinstance(errors, list) else errors
        said = first.get("message") if isinstance(first, Mapping) else first
        message = f"{what}: {said!r}"[:160]
        if any(word in message.lower() for word in ("auth", "session", "login", "permission")):
            raise NotAuthorisedError(message)
        raise DeviceRefusedError(message)
    data = reply.get("data")
    if not isinstance(data, Mapping):
        raise MalformedReplyError(f"{what}: no data")
    return data


def refusal_in(data: Mapping[str, Any], *path: str) -> str | None:
    """The message of a mutation's result when it is one of the error types, which alone have it."""
    result: object = data
    for step in path:
        result = result.get(step) if isinstance(result, Mapping) else None
    if isinstance(result, Mapping) and result.get("message") is not None:
        return str(result["message"])[:160]
    return None


def opened(reply: Raw, what: str) -> Source:
    """A reply's data, or why there is none."""
    return source_of(reply, lambda body: data_of(body, what))


def mac_of(network: Raw) -> Measured[str]:
    """The address in LuCI's list of interfaces."""
    source = source_of(network, lambda body: {NETWORK: parse_json(body, NETWORK)})
    return text(source, NETWORK, 0, "macaddr")


def with_mac(reading: MinerReading, mac: Measured[str]) -> MinerReading:
    """The reading with the address that was asked elsewhere."""
    return replace(reading, identity=replace(reading.identity, mac=mac))


def parse_reading(sources: Mapping[str, Source]) -> MinerReading:
    """One snapshot of whatever was answered; `uptime_s` is the control board's.

    Raises what the first query ended with when there is nothing to read in any.
    """
    require_one(sources.values())
    system, tuning = sources.get("system", ABSENT), sources.get("tuning", ABSENT)
    boards = each(
        items(sources.get("boards", ABSENT), *_INFO, "workSolver", "childSolvers"), _board
    )
    power = (*_INFO, "summary", "power")
    return MinerReading(
        identity=Identity(
            firmware=text(system, "bos", "info", "version", "full"),
            hostname=text(system, "bos", "hostname"),
        ),
        mining=_mining(system),
        hashrate_ths=_hashrate(system, *_INFO, "workSolver", "realHashrate", "mhs5S"),
        nominal_hashrate_ths=_hashrate(system, *_INFO, "workSolver", "nominalMhs"),
        power_w=number(system, *power, "approxConsumptionW"),
        power_limit_w=first_reported(
            number(system, *power, "limitW"),
            number(tuning, *power, "limitW"),
            number(tuning, "bosminer", "config", "autotuning", "powerTarget"),
        ),
        preset=word(tuning, "bosminer", "config", "autotuning", "mode"),
        temperature_c=hottest(boards, lambda board: board.chip_temperature_c),
        uptime_s=integer(system, "bos", "uptime", "durationS"),
        boards=boards,
        fans=each(items(system, *_INFO, "fans"), _fan),
        pools=each(pools_of(items(sources.get("pools", ABSENT), *_INFO, "poolGroups")), _pool),
    )


def _mining(system: Source) -> Measured[bool]:
    if isinstance(system, DeviceError):
        return system.unknown()
    if isinstance(system, Unknown):
        return system
    at: object = system
    for step in (*_INFO, "workSolver"):
        if not isinstance(at, Mapping):
            return Unknown(Reason.MALFORMED, f"{step} stands in no object")
        if step not in at:
            return Unknown(Reason.NOT_REPORTED, step)
        at = at[step]
        if at is None:
            return False
    return True if isinstance(at, Mapping) else Unknown(Reason.MALFORMED, "workSolver")


def _board(index: int, board: Mapping[str, Any]) -> BoardReading:
    return BoardReading(
        index=index,
        hashrate_ths=_hashrate(board, "realHashrate", "mhs5S"),
        nominal_hashrate_ths=_hashrate(board, "nominalMhs"),
        temperature_c=_temperature(board, "Board"),
        chip_temperature_c=_temperature(board, "Chip"),
        chips=integer(board, "hwDetails", "chips"),
        frequency_mhz=number(board, "hwDetails", "frequencyMhz"),
        voltage_v=number(board, "hwDetails", "voltageV"),
    )


def _temperature(board: Mapping[str, Any], name: str) -> Measured[float]:
    listed = items(board, "temperatures")
    if isinstance(listed, Unknown):
        return listed
    for entry in listed:
        if entry.get("name") == name:
            return celsius(entry, "degreesC")
    return ABSENT


def _fan(index: int, fan: Mapping[str, Any]) -> FanReading:
    return FanReading(index, integer(fan, "rpm"))


def _pool(index: int, pool: Mapping[str, Any]) -> PoolReading:
    return PoolReading(
        index=index,
        url=text(pool, "url"),
        worker=text(pool, "user"),
        alive=one_of(text(pool, "status"), _ALIVE, "status"),
        active=flag(pool, "active"),
        accepted=integer(pool, "shares", "acceptedSolutions"),
        rejected=integer(pool, "shares", "rejectedSolutions"),
    )


def _hashrate(source: Source, *path: str) -> Measured[float]:
    return number(source, *path, scale=1e-6)
