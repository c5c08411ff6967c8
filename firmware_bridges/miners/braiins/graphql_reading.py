"""Replies of the GraphQL API (Braiins OS 21.09 to 22.08) to a reading. Pure.

Source: captures of 21.09 and 22.08, and asic-rs' `v21_09/mod.rs`. Hashrates are MH/s. A miner whose
bosminer is stopped has no `info`, or one without `workSolver` (asic-rs takes it for "not mining").
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    MalformedReplyError,
    NotAuthorisedError,
)
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    flag,
    integer,
    items,
    number,
    one_of,
    text,
)
from firmware_bridges.miners.http import parse_json
from firmware_bridges.miners.preference import first_reported
from firmware_bridges.readings import (
    BoardReading,
    FanReading,
    Identity,
    MinerReading,
    PoolReading,
)
from shared.measured import Measured, Reason, Unknown

Raw: TypeAlias = bytes | DeviceError
"""A reply's body as it came, or the error that its request ended with."""

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
_MOST: Final = 64
_COLD_C: Final = -60.0
_HOT_C: Final = 250.0


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
    if isinstance(reply, DeviceError):
        return reply
    try:
        return data_of(reply, what)
    except DeviceError as error:
        return error


def mac_of(network: Raw) -> Measured[str]:
    """The address in LuCI's list of interfaces."""
    if isinstance(network, DeviceError):
        return network.unknown()
    try:
        listed = parse_json(network, NETWORK)
    except DeviceError as error:
        return error.unknown()
    return text({NETWORK: listed}, NETWORK, 0, "macaddr")


def with_mac(reading: MinerReading, mac: Measured[str]) -> MinerReading:
    """The reading with the address that was asked elsewhere."""
    return replace(reading, identity=replace(reading.identity, mac=mac))


def parse_reading(sources: Mapping[str, Source]) -> MinerReading:
    """One snapshot of whatever was answered; `uptime_s` is the control board's.

    Raises what the first query ended with when there is nothing to read in any.
    """
    failures = [source for source in sources.values() if isinstance(source, DeviceError)]
    if failures and len(failures) == len(sources):
        raise failures[0]
    system, tuning = sources.get("system", ABSENT), sources.get("tuning", ABSENT)
    boards = _boards(sources.get("boards", ABSENT))
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
        preset=_lower(text(tuning, "bosminer", "config", "autotuning", "mode")),
        temperature_c=_hottest(boards),
        uptime_s=integer(system, "bos", "uptime", "durationS"),
        boards=boards,
        fans=_fans(system),
        pools=_pools(sources.get("pools", ABSENT)),
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


def _boards(boards: Source) -> Measured[tuple[BoardReading, ...]]:
    listed = items(boards, *_INFO, "workSolver", "childSolvers")
    if isinstance(listed, Unknown):
        return listed
    return tuple(_board(index, board) for index, board in enumerate(listed))


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
            return number(entry, "degreesC", low=_COLD_C, high=_HOT_C)
    return ABSENT


def _hottest(boards: Measured[tuple[BoardReading, ...]]) -> Measured[float]:
    """The hottest chip; unknown as long as one board's is, since that may be the hottest."""
    if isinstance(boards, Unknown):
        return boards
    hottest: float | None = None
    for board in boards:
        if isinstance(board.chip_temperature_c, Unknown):
            return board.chip_temperature_c
        hottest = max(board.chip_temperature_c, _COLD_C if hottest is None else hottest)
    return ABSENT if hottest is None else hottest


def _fans(system: Source) -> Measured[tuple[FanReading, ...]]:
    listed = items(system, *_INFO, "fans")
    if isinstance(listed, Unknown):
        return listed
    return tuple(FanReading(index, integer(fan, "rpm")) for index, fan in enumerate(listed))


def _pools(pools: Source) -> Measured[tuple[PoolReading, ...]]:
    """The pools of every group, counted through."""
    groups = items(pools, *_INFO, "poolGroups")
    if isinstance(groups, Unknown):
        return groups
    listed: list[Mapping[str, Any]] = []
    for group in groups:
        within = items(group, "pools")
        if isinstance(within, Unknown):
            return within
        listed.extend(within)
    return tuple(
        PoolReading(
            index=index,
            url=text(pool, "url"),
            worker=text(pool, "user"),
            alive=one_of(text(pool, "status"), _ALIVE, "status"),
            active=flag(pool, "active"),
            accepted=integer(pool, "shares", "acceptedSolutions"),
            rejected=integer(pool, "shares", "rejectedSolutions"),
        )
        for index, pool in enumerate(listed[:_MOST])
    )


def _hashrate(source: Source, *path: str) -> Measured[float]:
    return number(source, *path, scale=1e-6)


def _lower(value: Measured[str]) -> Measured[str]:
    return value if isinstance(value, Unknown) else value.lower()
