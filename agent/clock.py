"""The agent's clock, and telling when the wall clock was set instead of running.

Business time (`now_ms`) may be scaled for a demonstration. Deadlines, retries and poll intervals
use `monotonic_s` or the event loop's time, which nobody can set.
"""

import time
from dataclasses import dataclass
from typing import Protocol

from shared.time import TimeScale

JUMP_TOLERANCE_MS = 1_000
"""A slewing clock gains at most 0.5 ms a second (adjtimex(2)); more than this was a step."""

_READING_ATTEMPTS = 5
_READING_WITHIN_S = 0.02


class Clock(Protocol):
    """Where the agent gets its time from."""

    def now_ms(self) -> int:
        """Business time: UTC milliseconds since the epoch, perhaps scaled."""
        ...

    def monotonic_s(self) -> float:
        """Real seconds from an arbitrary origin, never set back."""
        ...


class SystemClock:
    """The host's clocks, business time through a scale."""

    def __init__(self, scale: TimeScale | None = None) -> None:
        self.scale = TimeScale() if scale is None else scale

    def now_ms(self) -> int:
        """See `Clock`."""
        return self.scale.shown_ms(time.time_ns() // 1_000_000)

    def monotonic_s(self) -> float:
        """See `Clock`."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks, read at the same moment."""

    now_ms: int
    monotonic_s: float


def read_clocks(clock: Clock) -> ClockReading | None:
    """Both clocks at one moment; None when the process was held up between them every time."""
    for _ in range(_READING_ATTEMPTS):
        before = clock.monotonic_s()
        now_ms = clock.now_ms()
        after = clock.monotonic_s()
        if after - before <= _READING_WITHIN_S:
            return ClockReading(now_ms, (before + after) / 2)
    return None


def clock_jump_ms(
    before: ClockReading,
    after: ClockReading,
    rate: float = 1.0,
    tolerance_ms: int = JUMP_TOLERANCE_MS,
) -> int | None:
    """By how many real milliseconds the wall clock was set between two readings; None if it ran on.

    Positive is forwards. `rate` is the scale's rate of business time, 1.0 where it is not scaled.
    """
    real_ms = (after.now_ms - before.now_ms) / rate
    jump_ms = round(real_ms - (after.monotonic_s - before.monotonic_s) * 1000)
    return jump_ms if abs(jump_ms) > tolerance_ms else None
