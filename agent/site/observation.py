"""What a reading says about a device: its state, the setpoint it follows, its alarms. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from firmware_bridges.errors import DeviceError
from firmware_bridges.readings import MinerReading, PlantReading
from shared.measured import Unknown, known
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop


class DeviceState(StrEnum):
    """What a device is doing, as far as is known."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    MINING = "mining"
    CURTAILED = "curtailed"
    """Stopped by a decision."""
    STOPPED = "stopped"
    OFFLINE = "offline"
    LOCKED = "locked"


class AlarmCode(StrEnum):
    """What can be wrong."""

    UNREACHABLE = "unreachable"
    FAULTS = "device_faults"
    NOT_FOLLOWING = "not_following"
    ENERGISED_WHILE_LOCKED = "energised_while_locked"
    PRICE_STALE = "price_stale"


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of the last reading, and what is known beside it."""

    reading: MinerReading | PlantReading | None
    failures: int
    offline_after: int
    locked: bool
    stopped_by_decision: bool


def device_state(seen: Seen) -> DeviceState:
    """The state that follows; a lock outranks all, then silence."""
    if seen.locked:
        return DeviceState.LOCKED
    if seen.failures >= seen.offline_after:
        return DeviceState.OFFLINE
    match seen.reading:
        case None:
            return DeviceState.UNKNOWN
        case MinerReading(mining=True):
            return DeviceState.MINING
        case MinerReading(mining=False):
            return DeviceState.CURTAILED if seen.stopped_by_decision else DeviceState.STOPPED
        case _:
            return DeviceState.ONLINE


def followed_setpoint(
    reading: MinerReading, told: Setpoint | None, known_setpoints: Sequence[Setpoint]
) -> Setpoint | None:
    """The setpoint that a miner follows: what it was told, unless its reading says otherwise.

    `known_setpoints` are those whose power is known; of them the reading's own preset or limit is
    recognised. None when nothing tells.
    """
    if isinstance(reading.mining, Unknown):
        return told
    if not reading.mining:
        return Stop()
    preset = known(reading.preset)
    if isinstance(told, Preset) and preset is not None and preset != told.name:
        return Preset(preset)
    if told is not None and not isinstance(told, Stop):
        return told
    if preset is not None and Preset(preset) in known_setpoints:
        return Preset(preset)
    limit_w = known(reading.power_limit_w)
    if limit_w is not None and PowerLimit(round(limit_w)) in known_setpoints:
        return PowerLimit(round(limit_w))
    return Run()


def alarms_of(
    seen: Seen, problem: DeviceError | None, drawn_w: float | None, idle_w: float
) -> dict[AlarmCode, str]:
    """The alarms that a device has now, each with its text. What was not read raises none."""
    raised: dict[AlarmCode, str] = {}
    if seen.failures >= seen.offline_after and problem is not None:
        raised[AlarmCode.UNREACHABLE] = str(problem)[:200]
    reading = seen.reading
    if isinstance(reading, MinerReading):
        faults = known(reading.faults)
        if faults:
            texts = [f"{fault.code} {fault.text}".strip() for fault in faults[:10]]
            raised[AlarmCode.FAULTS] = ", ".join(texts)[:300]
        hashing = known(reading.mining) is True or (drawn_w or 0.0) > max(2 * idle_w, 100.0)
        if seen.locked and hashing:
            raised[AlarmCode.ENERGISED_WHILE_LOCKED] = "it is locked out and yet draws power"
    return raised
