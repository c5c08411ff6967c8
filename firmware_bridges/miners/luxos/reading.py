"""Replies of LUXminer into a `MinerReading`; pure.

Keys of the replies are the commands: "config", "summary", "stats", "devs", "temps", "fans",
"pools", "power", "events", "version", "atm", and a board's details as "voltageget_0" and
"healthchipget_0". What was not asked for is absent and its fields NOT_REPORTED. So are chip
temperatures: LuxOS has the boards' sensors only (Luxor's documentation, "LuxOS Features:
Temperature Settings").
"""

from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.capabilities import OperatingPoint
from firmware_bridges.miners.boards import hottest
from firmware_bridges.miners.cgminer_pools import pool_readings
from firmware_bridges.miners.extract import (
    ABSENT,
    Source,
    flag,
    integer,
    iso_time_ms,
    items,
    number,
    raw,
    text,
)
from firmware_bridges.miners.preference import first_known
from firmware_bridges.readings import BoardReading, FanReading, Fault, Identity, MinerReading
from shared.measured import Measured, Reason, Unknown, known

Replies = Mapping[str, Source]

_MAX_THS: Final = 10_000.0
_SENSORS: Final = ("TopLeft", "TopRight", "BottomLeft", "BottomRight")
_CURTAILED: Final = {"none": False, "wakeup": False, "sleep": True, "idle": True}
_STATES: Final = frozenset({"SLEEP", "IDLE"})
"""Events that tell of curtailment, not of anything wrong."""


def luxos_reading(replies: Replies) -> MinerReading:
    """The snapshot that the replies make; what failed or is absent is unknown."""
    summary = replies.get("summary", ABSENT)
    config = replies.get("config", ABSENT)
    boards = _boards(replies)
    hashrate = number(summary, "SUMMARY", 0, "GHS 5s", scale=1e-3, high=_MAX_THS)
    return MinerReading(
        identity=identity(replies),
        mining=_mining(config, hashrate),
        hashrate_ths=hashrate,
        average_hashrate_ths=number(summary, "SUMMARY", 0, "GHS av", scale=1e-3, high=_MAX_THS),
        nominal_hashrate_ths=_nominal(boards),
        power_w=number(replies.get("power", ABSENT), "POWER", 0, "Watts", high=1e6),
        power_limit_w=number(replies.get("atm", ABSENT), "ATM", 0, "PowerTarget", high=1e6),
        preset=text(config, "CONFIG", 0, "Profile"),
        temperature_c=hottest(boards, lambda board: board.temperature_c),
        uptime_s=integer(summary, "SUMMARY", 0, "Elapsed"),
        boards=boards,
        fans=_fans(replies.get("fans", ABSENT)),
        pools=pool_readings(replies.get("pools", ABSENT)),
        faults=_faults(replies.get("events", ABSENT)),
    )


def identity(replies: Replies) -> Identity:
    """Model, firmware, serial number and address."""
    config = replies.get("config", ABSENT)
    version = replies.get("version", ABSENT)
    return Identity(
        model=first_known(text(config, "CONFIG", 0, "Model"), text(version, "VERSION", 0, "Type")),
        firmware=text(version, "VERSION", 0, "LUXminer"),
        serial=text(config, "CONFIG", 0, "SerialNumber"),
        mac=text(config, "CONFIG", 0, "MACAddr"),
        hostname=text(config, "CONFIG", 0, "Hostname"),
    )


def curtailed(config: Source) -> Measured[bool]:
    """Whether CurtailMode says that the miner sleeps or idles."""
    mode = text(config, "CONFIG", 0, "CurtailMode")
    if isinstance(mode, Unknown):
        return mode
    asleep = _CURTAILED.get(mode.lower())
    if asleep is None:
        return Unknown(Reason.MALFORMED, f"CurtailMode is {mode[:40]!r}")
    return asleep


def atm_enabled(config: Source) -> Measured[bool]:
    """Whether Advanced Thermal Management chooses the profile."""
    return flag(config, "CONFIG", 0, "IsAtmEnabled")


def operating_points(reply: Source) -> Measured[tuple[OperatingPoint, ...]]:
    """The profiles that can be set by name.

    Left out are names with a comma, which the API would split, and "0" to "3", which `profileset`
    takes for a board's number (Luxor's documentation, "profileset").
    """
    profiles = items(reply, "PROFILES", most=100)
    if isinstance(profiles, Unknown):
        return profiles
    return tuple(
        OperatingPoint(
            name,
            known(number(profile, "Watts", high=1e6)),
            known(number(profile, "Hashrate", high=_MAX_THS)),
        )
        for profile in profiles
        if isinstance(name := known(text(profile, "Profile Name")), str)
        and "," not in name
        and name not in {"0", "1", "2", "3"}
    )


def _mining(config: Source, hashrate: Measured[float]) -> Measured[bool]:
    """CurtailMode says what it is told to; without it, whether it hashes."""
    asleep = curtailed(config)
    if not isinstance(asleep, Unknown):
        return not asleep
    return hashrate if isinstance(hashrate, Unknown) else hashrate > 0


def _boards(replies: Replies) -> Measured[tuple[BoardReading, ...]]:
    """The boards of `devs` by their ID; stats' chain N is board N - 1, `temps` has the ID."""
    devices = items(replies.get("devs", ABSENT), "DEVS", most=16)
    if isinstance(devices, Unknown):
        return devices
    by_id: dict[int, Mapping[str, Any]] = {}
    for device in devices:
        board = integer(device, "ID", high=63)
        if isinstance(board, Unknown):
            return board
        by_id[board] = device
    if len(by_id) != len(devices):
        return Unknown(Reason.MALFORMED, "two boards have the same ID")
    temperatures = _Temperatures(replies.get("temps", ABSENT))
    return tuple(_board(board, by_id[board], temperatures, replies) for board in sorted(by_id))


def _board(
    board: int, device: Mapping[str, Any], temperatures: "_Temperatures", replies: Replies
) -> BoardReading:
    stats = replies.get("stats", ABSENT)
    hashrate = number(device, "MHS 5s", scale=1e-6, high=_MAX_THS)
    sensors = temperatures.of(board)
    return BoardReading(
        index=board,
        hashrate_ths=hashrate,
        nominal_hashrate_ths=number(device, "Nominal MHS", scale=1e-6, high=_MAX_THS),
        temperature_c=first_known(
            _hottest_of(sensors, _SENSORS), number(device, "Temperature", low=-60, high=200)
        ),
        inlet_temperature_c=_hottest_of(sensors, temperatures.intake),
        outlet_temperature_c=_hottest_of(sensors, temperatures.exhaust),
        chips=integer(stats, "STATS", 1, f"chain_acn{board + 1}", high=10_000),
        chips_expected=_listed_chips(replies.get(f"healthchipget_{board}", ABSENT)),
        frequency_mhz=number(stats, "STATS", 1, f"freq{board + 1}", high=10_000),
        voltage_v=number(
            replies.get(f"voltageget_{board}", ABSENT), "VOLTAGE", 0, "Voltage", high=100
        ),
        hardware_errors=integer(device, "Hardware Errors"),
        active=_active(device),
        serial=text(device, "SerialNumber"),
    )


def _active(device: Mapping[str, Any]) -> Measured[bool]:
    """Alive and not shut down by its user."""
    status, shut_down = text(device, "Status"), flag(device, "IsUserShutdown")
    if isinstance(status, Unknown):
        return status
    return shut_down if isinstance(shut_down, Unknown) else status == "Alive" and not shut_down


def _listed_chips(reply: Source) -> Measured[int]:
    """How many chips `healthchipget` lists for the board, healthy or not."""
    chips = items(reply, "CHIPS", most=4_096)
    return chips if isinstance(chips, Unknown) else len(chips) or ABSENT


class _Temperatures:
    """The `temps` reply: four sensors a board, and METADATA that says which side each is on."""

    def __init__(self, reply: Source) -> None:
        self._boards = items(reply, "TEMPS", most=64)
        self.intake = tuple(s for s in _SENSORS if "Intake" in _label(reply, s))
        self.exhaust = tuple(s for s in _SENSORS if "Exhaust" in _label(reply, s))

    def of(self, board: int) -> Source:
        """The element of TEMPS that has the board's ID."""
        if isinstance(self._boards, Unknown):
            return self._boards
        for sensors in self._boards:
            if sensors.get("ID") == board:
                return sensors
        return Unknown(Reason.NOT_REPORTED, f"no board {board} in TEMPS")


def _label(reply: Source, sensor: str) -> str:
    return known(text(reply, "METADATA", 0, sensor, "Label")) or ""


def _hottest_of(sensors: Source, names: tuple[str, ...]) -> Measured[float]:
    """The hottest of these sensors; unknown when one that is reported cannot be read. Zero is a
    sensor that is not there: LuxOS lists four whatever the board has."""
    if isinstance(sensors, Unknown):
        return sensors
    hottest: Measured[float] = ABSENT
    for name in names:
        value = number(sensors, name, low=-60, high=200)
        if isinstance(value, Unknown):
            if value.reason is Reason.NOT_REPORTED:
                continue
            return value
        if value != 0 and (isinstance(hottest, Unknown) or value > hottest):
            hottest = value
    return hottest


def _nominal(boards: Measured[tuple[BoardReading, ...]]) -> Measured[float]:
    """The boards' nominal rates together, at the profile in force; unknown when one is."""
    if isinstance(boards, Unknown):
        return boards
    if not boards:
        return ABSENT
    total = 0.0
    for board in boards:
        if isinstance(board.nominal_hashrate_ths, Unknown):
            return board.nominal_hashrate_ths
        total += board.nominal_hashrate_ths
    return total


def _fans(reply: Source) -> Measured[tuple[FanReading, ...]]:
    fans = items(reply, "FANS", most=16)
    if isinstance(fans, Unknown):
        return fans
    return tuple(FanReading(at, integer(fan, "RPM", high=50_000)) for at, fan in enumerate(fans))


def _faults(reply: Source) -> Measured[tuple[Fault, ...]]:
    """The events that hold now; LuxOS drops an event when its cause is gone."""
    events = items(reply, "EVENTS", most=64)
    if isinstance(events, Unknown):
        return events
    faults: list[Fault] = []
    for event in events:
        code, words = text(event, "Code"), text(event, "Description")
        if isinstance(code, Unknown):
            return Unknown(Reason.MALFORMED, "an event without Code")
        if code in _STATES:
            continue
        where = f"{raw(event, 'Target')} {raw(event, 'ID')}: " if "ID" in event else ""
        message = where + ("" if isinstance(words, Unknown) else words)
        faults.append(Fault(code, message, iso_time_ms(text(event, "CreatedAt"))))
    return tuple(faults)
