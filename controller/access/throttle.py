"""Lock-out and rate limits: pure functions over stored state, so that a restart forgives nothing.

An attempt is counted before it is judged, so that many at a time cannot slip through; a right one
takes its own count back. While a key is locked nothing is judged and nothing is counted.
"""

from dataclasses import dataclass, replace

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Strikes:
    """What is known of an account or an address. Times are real milliseconds."""

    failures: int = 0
    since_ms: int = 0
    lockouts: int = 0
    locked_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """`failures` within `window_ms` lock for `lock_ms`, doubled with every lock-out of a day."""

    failures: int
    window_ms: int
    lock_ms: int
    longest_ms: int = _DAY_MS


ACCOUNT = Limit(failures=5, window_ms=15 * _MINUTE_MS, lock_ms=15 * _MINUTE_MS)
ADDRESS = Limit(
    failures=30, window_ms=15 * _MINUTE_MS, lock_ms=15 * _MINUTE_MS, longest_ms=60 * _MINUTE_MS
)
FORGOTTEN_AFTER_MS = 2 * _DAY_MS
"""State that nobody touched for so long says nothing any more."""


def locked_for_ms(strikes: Strikes, now_ms: int) -> int:
    """How long until it may be tried again; 0 when it may be now."""
    return max(0, strikes.locked_until_ms - now_ms)


def after_attempt(strikes: Strikes, limit: Limit, now_ms: int) -> Strikes:
    """The state with one more attempt counted, locked where that was the last allowed one."""
    if locked_for_ms(strikes, now_ms):
        return strikes
    if now_ms - strikes.since_ms >= limit.window_ms:
        strikes = replace(strikes, failures=0, since_ms=now_ms)
    if strikes.lockouts and now_ms - strikes.locked_until_ms >= _DAY_MS:
        strikes = replace(strikes, lockouts=0)
    failures = strikes.failures + 1
    if failures < limit.failures:
        return replace(strikes, failures=failures)
    lock_ms = min(limit.longest_ms, limit.lock_ms << min(strikes.lockouts, 20))
    return Strikes(0, now_ms, strikes.lockouts + 1, now_ms + lock_ms)


def taken_back(before: Strikes, after: Strikes, current: Strikes) -> Strikes:
    """The state `current` when the attempt that led from `before` to `after` turned out right.

    Others' failures still count, those of meanwhile too: an address does not clear itself by a
    sign-in of its own, and a lock is lifted only where this attempt alone made it.
    """
    if after.lockouts > before.lockouts:
        return before if current == after else current
    if (current.lockouts, current.since_ms) != (after.lockouts, after.since_ms):
        return current  # what this attempt had counted is in the state no more
    return replace(current, failures=max(0, current.failures - 1))
