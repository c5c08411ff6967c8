"""The life of a session as a rule: how far it has come, when it ends, when its id is changed."""

from dataclasses import dataclass
from enum import StrEnum

_MINUTE_MS = 60_000


class Stage(StrEnum):
    """How much the person has shown."""

    PASSWORD = "password"  # noqa: S105 - a stage
    """The password only; the second factor is awaited."""
    ENROLLING = "enrolling"
    """The password only, and no second factor is set up though one is required."""
    FULL = "full"
    """All that is asked for."""


class Verdict(StrEnum):
    """What is to be done with a session that a request names."""

    GOOD = "good"
    ROTATE = "rotate"
    """Good, and it gets a new id with the answer."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """All in real milliseconds."""

    idle_ms: int = 30 * _MINUTE_MS
    absolute_ms: int = 12 * 60 * _MINUTE_MS
    awaiting_factor_ms: int = 5 * _MINUTE_MS
    rotate_ms: int = 15 * _MINUTE_MS
    grace_ms: int = _MINUTE_MS
    """How long the id of before a rotation still opens, for requests that were under way."""
    touch_ms: int = _MINUTE_MS
    """How old `seen_ms` may get before it is written again."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """When it began, was last used, and last got a new id."""

    created_ms: int
    seen_ms: int
    rotated_ms: int


def judge(stage: Stage, times: SessionTimes, limits: SessionLimits, now_ms: int) -> Verdict:
    """What a session is at `now_ms`. A clock that went back ends it: its age is not known."""
    age_ms = now_ms - times.created_ms
    idle_ms = now_ms - times.seen_ms
    if age_ms < -limits.touch_ms or age_ms >= limits.absolute_ms or idle_ms >= limits.idle_ms:
        return Verdict.ENDED
    if stage is Stage.PASSWORD and age_ms >= limits.awaiting_factor_ms:
        return Verdict.ENDED
    if stage is Stage.FULL and now_ms - times.rotated_ms >= limits.rotate_ms:
        return Verdict.ROTATE
    return Verdict.GOOD
