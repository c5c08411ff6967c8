"""Did a write take effect? Judged on what was read afterwards. Pure.

A device's word that it took a write counts for nothing here. Its own fields must show the setpoint,
and the kilowatts must follow: at its outlet or its own meter, else at the meter it shares with
others (then all that was written together is judged together), else by its own power reading.
"""

from dataclasses import dataclass
from enum import StrEnum

from firmware_bridges.readings import MinerReading
from shared.measured import Measured, Unknown, known
from shared.setpoints import PowerLimit, Preset, Setpoint, Stop

_LIMIT_TOLERANCE = 0.05
_GROUP_NOISE = 0.02
"""A change below this share of what a shared meter shows drowns in everything else on it."""


class Verdict(StrEnum):
    """WAIT while it may still come."""

    WAIT = "wait"
    DONE = "done"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a write should lead to; powers in watts, None where they are not known.

    `before_w` was drawn before it, `after_w` is what its setpoint draws, `idle_w` what a stopped
    miner draws; `tolerance` is a share.
    """

    setpoint: Setpoint
    before_w: float | None
    after_w: float | None
    idle_w: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class SharedMeter:
    """A meter behind which several devices were written together, in watts."""

    before_w: float
    now_w: Measured[float]
    expected_change_w: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read after the write: the miner itself (None: not yet), its power, a shared meter.

    `timed_out` when the time to settle is over.
    """

    reading: MinerReading | None
    power_w: Measured[float]
    power_source: str | None
    shared: SharedMeter | None
    timed_out: bool


def verify(expected: Expectation, evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict and, unless it is DONE, what is missing."""
    late = Verdict.UNVERIFIED if evidence.timed_out else Verdict.WAIT
    if evidence.reading is None:
        return late, "the device could not be read after the write"
    shown, missing = _fields(expected.setpoint, evidence.reading)
    if missing:
        return late, missing
    followed, missing = _kilowatts(expected, evidence)
    if missing:
        return late, missing
    if not shown and not followed:
        return late, "neither the device nor a meter shows the setpoint"
    return Verdict.DONE, ""


def _fields(setpoint: Setpoint, reading: MinerReading) -> tuple[bool, str]:
    """Whether the miner's own fields show the setpoint, and what contradicts it."""
    mining = known(reading.mining)
    if isinstance(setpoint, Stop):
        return mining is False, "it says that it is still mining" if mining else ""
    if mining is False:
        return False, "it says that it is not mining"
    if isinstance(setpoint, PowerLimit):
        limit_w = known(reading.power_limit_w)
        if limit_w is not None:
            near = abs(limit_w - setpoint.power_w) <= _LIMIT_TOLERANCE * setpoint.power_w
            return near, "" if near else f"its power limit is {limit_w:.0f} W"
    if isinstance(setpoint, Preset):
        preset = known(reading.preset)
        if preset is not None:
            same = preset == setpoint.name
            return same, "" if same else f"its preset is {preset!r}"
        return False, ""
    return mining is True, ""


def _kilowatts(expected: Expectation, evidence: Evidence) -> tuple[bool, str]:
    """Whether the kilowatts followed, and what is wrong when they did not."""
    followed = False
    if not isinstance(evidence.power_w, Unknown):
        problem = _own_power(expected, evidence.power_w)
        if problem:
            return False, f"{problem} ({evidence.power_source})"
        followed = _bounds(expected) is not None
    if evidence.shared is not None:
        problem = _shared_power(evidence.shared, expected.tolerance)
        if problem:
            return False, problem
    return followed, ""


def _own_power(expected: Expectation, power_w: float) -> str:
    bounds = _bounds(expected)
    if bounds is None:
        return ""
    low_w, high_w = bounds
    if power_w > high_w:
        return f"it still draws {power_w:.0f} W, expected at most {high_w:.0f} W"
    if power_w < low_w:
        return f"it draws {power_w:.0f} W, expected at least {low_w:.0f} W"
    return ""


def _bounds(expected: Expectation) -> tuple[float, float] | None:
    """Between what its power must lie; None where nothing is known of what it draws."""
    if isinstance(expected.setpoint, Stop):
        drawn_w = expected.before_w if expected.before_w is not None else expected.after_w
        over_idle_w = max(0.0, (drawn_w or 0.0) - expected.idle_w)
        if over_idle_w == 0:
            return None
        return 0.0, expected.idle_w + expected.tolerance * over_idle_w
    if expected.after_w is None:
        return None
    spread_w = expected.tolerance * expected.after_w
    return expected.after_w - spread_w, expected.after_w + spread_w


def _shared_power(shared: SharedMeter, tolerance: float) -> str:
    expected_w = shared.expected_change_w
    if abs(expected_w) <= _GROUP_NOISE * abs(shared.before_w):
        return ""
    if isinstance(shared.now_w, Unknown):
        return "the meter behind it could not be read"
    change_w = shared.now_w - shared.before_w
    if change_w * expected_w > 0 and abs(change_w) >= (1 - tolerance) * abs(expected_w):
        return ""
    return f"the meter behind it changed by {change_w:.0f} W, expected {expected_w:.0f} W"
