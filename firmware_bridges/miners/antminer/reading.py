"""Replies of an Antminer into a `MinerReading`; pure.

Keys of the replies are the commands: "stats", "summary", "pools", "version" of the 4028 API and
"get_system_info", "get_miner_conf" and "web_summary" (summary.cgi) of the web server. What was not
asked for is absent and its fields NOT_REPORTED.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.antminer.configuration import PRESET_NAMES, WorkMode, work_mode
from firmware_bridges.miners.boards import hottest
from firmware_bridges.miners.cgminer_pools import pool_readings
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    integer,
    items,
    number,
    raw,
    text,
)
from firmware_bridges.miners.preference import first_known
from firmware_bridges.readings import BoardReading, FanReading, Fault, Identity, MinerReading
from shared.measured import Measured, Reason, Unknown

Replies = Mapping[str, Source]

_MOST_CHAINS: Final = 16
_MOST_FANS: Final = 8
_MAX_THS: Final = 10_000.0
_MAX_C: Final = 200.0
_SENSORS: Final = re.compile(r"-?\d+(?:\.\d+)?(?:--?\d+(?:\.\d+)?)*", re.ASCII)
_SENSOR: Final = re.compile(r"(?<!\d)-?\d+(?:\.\d+)?", re.ASCII)
_TO_THS: Final = {"MH": 1e-6, "GH": 1e-3, "TH": 1.0}


def antminer_reading(replies: Replies) -> MinerReading:
    """The snapshot that the replies make; what failed or is absent is unknown."""
    stats = _stats(replies.get("stats", ABSENT))
    summary = replies.get("summary", ABSENT)
    hashrate = first_known(
        number(stats, "GHS 5s", scale=1e-3, high=_MAX_THS),
        number(summary, "SUMMARY", 0, "GHS 5s", scale=1e-3, high=_MAX_THS),
    )
    boards = _boards(stats)
    mode = work_mode(replies.get("get_miner_conf", ABSENT))
    return MinerReading(
        identity=identity(replies),
        mining=_mining(mode, hashrate),
        hashrate_ths=hashrate,
        average_hashrate_ths=first_known(
            number(stats, "GHS av", scale=1e-3, high=_MAX_THS),
            number(summary, "SUMMARY", 0, "GHS av", scale=1e-3, high=_MAX_THS),
        ),
        nominal_hashrate_ths=_rate(stats, "total_rateideal"),
        power_w=_power(stats),
        preset=mode if isinstance(mode, Unknown) else PRESET_NAMES[mode],
        temperature_c=hottest(boards, lambda board: board.chip_temperature_c),
        uptime_s=first_known(
            integer(stats, "Elapsed"),
            integer(summary, "SUMMARY", 0, "Elapsed"),
        ),
        boards=boards,
        fans=_fans(stats),
        pools=pool_readings(replies.get("pools", ABSENT)),
        faults=_faults(replies.get("web_summary", ABSENT)),
    )


def identity(replies: Replies) -> Identity:
    """Model, firmware, serial number and address; get_system_info first, then the API."""
    system = replies.get("get_system_info", ABSENT)
    version = replies.get("version", ABSENT)
    stats = replies.get("stats", ABSENT)
    return Identity(
        model=first_known(
            text(system, "minertype"),
            text(version, "VERSION", 0, "Type"),
            text(stats, "STATS", 0, "Type"),
        ),
        firmware=first_known(
            text(system, "system_filesystem_version"),
            text(version, "VERSION", 0, "Miner"),
            text(stats, "STATS", 0, "Miner"),
        ),
        serial=first_known(text(system, "serinum"), text(system, "serial_no")),
        mac=text(system, "macaddr"),
        hostname=text(system, "hostname"),
    )


def _stats(reply: Source) -> Source:
    """The element of STATS that carries the measurements; the first one is a header."""
    elements = items(reply, "STATS", most=8)
    if isinstance(elements, Unknown):
        return elements
    for element in elements:
        if "Elapsed" in element or "GHS 5s" in element:
            return element
    return Unknown(Reason.NOT_REPORTED, "STATS has no measurements")


def _mining(mode: Measured[WorkMode], hashrate: Measured[float]) -> Measured[bool]:
    """The mode says what it is told to; without it, whether it hashes."""
    if not isinstance(mode, Unknown):
        return mode is not WorkMode.SLEEP
    return hashrate if isinstance(hashrate, Unknown) else hashrate > 0


def _rate(stats: Source, key: str) -> Measured[float]:
    """A rate in the unit that `rate_unit` names (GH/s where it is absent), as TH/s."""
    unit = text(stats, "rate_unit")
    if isinstance(unit, Unknown):
        if unit.reason is not Reason.NOT_REPORTED:
            return unit
        unit = "GH"
    scale = _TO_THS.get(unit[:2].upper())
    if scale is None:
        return Unknown(Reason.MALFORMED, f"rate_unit is {unit[:40]!r}, not MH, GH or TH")
    return number(stats, key, scale=scale, high=_MAX_THS)


def _power(stats: Source) -> Measured[float]:
    """Power where the model reports it ("chain_power" as "3250 W"); most do not."""
    watts = raw(stats, "chain_power")
    if isinstance(watts, str):
        return number({"chain_power": watts.strip().rstrip("Ww")}, "chain_power", high=1e6)
    return number(stats, "chain_power", high=1e6)


def _boards(stats: Source) -> Measured[tuple[BoardReading, ...]]:
    """The chains with any sign of life; chain N is board N - 1.

    The reply has four slots whatever is plugged in; an empty one has no chips, no rate and no chip
    map. A reply without any chain key does not report boards at all.
    """
    if isinstance(stats, Unknown):
        return stats
    if isinstance(stats, DeviceError):
        return stats.unknown()
    slots = [slot for slot in range(1, _MOST_CHAINS + 1) if _has_chain(stats, slot)]
    if not slots:
        return Unknown(Reason.NOT_REPORTED, "no chain_acn in stats")
    return tuple(_board(stats, slot) for slot in slots if _alive(stats, slot))


def _has_chain(stats: Mapping[str, Any], slot: int) -> bool:
    return f"chain_acn{slot}" in stats or f"chain_rate{slot}" in stats


def _alive(stats: Mapping[str, Any], slot: int) -> bool:
    if not isinstance(text(stats, f"chain_acs{slot}"), Unknown):
        return True
    for key in (f"chain_acn{slot}", f"chain_rate{slot}"):
        value = number(stats, key)
        if value != 0 and not (isinstance(value, Unknown) and value.reason is Reason.NOT_REPORTED):
            return True
    return False


def _board(stats: Mapping[str, Any], slot: int) -> BoardReading:
    hashrate = _rate(stats, f"chain_rate{slot}")
    return BoardReading(
        index=slot - 1,
        hashrate_ths=hashrate,
        temperature_c=_sensors(stats, f"temp_pcb{slot}"),
        chip_temperature_c=_sensors(stats, f"temp_chip{slot}"),
        chips=integer(stats, f"chain_acn{slot}", high=10_000),
        frequency_mhz=number(stats, f"freq{slot}", high=10_000),
        hardware_errors=integer(stats, f"chain_hw{slot}"),
        active=hashrate if isinstance(hashrate, Unknown) else hashrate > 0,
    )


def _sensors(stats: Mapping[str, Any], key: str) -> Measured[float]:
    """The hottest of the sensors in a text like "73-45-64-65"; a 0 is a sensor that is not there
    (the empty fourth slot of the captures reads "0-0-0-0")."""
    joined = text(stats, key)
    if isinstance(joined, Unknown):
        return joined
    if not _SENSORS.fullmatch(joined):
        return Unknown(Reason.MALFORMED, f"{key} is {joined[:40]!r}")
    values = [float(value) for value in _SENSOR.findall(joined)]
    present = [value for value in values if value != 0]
    if not present:
        return Unknown(Reason.NOT_REPORTED, f"{key}: every sensor reads 0")
    hottest = max(present)
    if not -60 <= hottest <= _MAX_C:
        return Unknown(Reason.OUT_OF_RANGE, f"{key} is {joined[:40]!r}")
    return hottest


def _fans(stats: Source) -> Measured[tuple[FanReading, ...]]:
    if isinstance(stats, Unknown):
        return stats
    if isinstance(stats, DeviceError):
        return stats.unknown()
    numbers = [at for at in range(1, _MOST_FANS + 1) if f"fan{at}" in stats]
    if not numbers:
        return Unknown(Reason.NOT_REPORTED, "no fan1 in stats")
    return tuple(FanReading(at - 1, integer(stats, f"fan{at}", high=50_000)) for at in numbers)


def _faults(reply: Source) -> Measured[tuple[Fault, ...]]:
    """The checks of summary.cgi (rate, network, fans, temp) whose status is not "s"."""
    checks = items(reply, "SUMMARY", 0, "status", most=32)
    if isinstance(checks, Unknown):
        return checks
    faults: list[Fault] = []
    for check in checks:
        status, kind, words = text(check, "status"), text(check, "type"), text(check, "msg")
        if isinstance(status, Unknown) or isinstance(kind, Unknown):
            return Unknown(Reason.MALFORMED, "a check without status or type")
        if status != "s":
            code = f"{kind}:{check.get('code', '')}"[:60]
            faults.append(Fault(code, "" if isinstance(words, Unknown) else words))
    return tuple(faults)
