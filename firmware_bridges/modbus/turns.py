"""Whose turn it is on a shared line. Pure: state and time in, decision out.

The accident this prevents: one slave without supply, asked again and again, holds the line for a
deadline each time while nine healthy ones starve behind it. So a slave that was silent is held
back for a while that doubles, and then comes after those who wait already.
"""

from collections.abc import Iterable
from dataclasses import dataclass

HOLD_LIMIT_S = 30.0
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A device that waits for the line; `urgent` for a write that somebody ordered."""

    number: int
    unit: int
    arrived_s: float
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """A slave that did not answer: how often in a row, and until when it is not asked."""

    misses: int
    until_s: float
    penalty_s: float


def next_turn(waiting: Iterable[Waiting], silences: dict[int, Silence]) -> Waiting | None:
    """Who comes next: urgent ones, then in order of arrival, where a slave that was silent counts
    as arrived later by its penalty (so it comes late, but does come)."""

    def order(one: Waiting) -> tuple[bool, float, int]:
        silence = silences.get(one.unit)
        penalty = silence.penalty_s if silence is not None else 0.0
        return (not one.urgent, one.arrived_s + penalty, one.number)

    return min(waiting, key=order, default=None)


def after_miss(
    before: Silence | None, deadline_s: float, now_s: float, *, answered_before: bool
) -> Silence:
    """The silence after a turn that ran into its deadline.

    A slave that had answered part of the turn is not held back, only put behind the others.
    """
    if answered_before:
        return Silence(misses=0, until_s=now_s, penalty_s=deadline_s)
    misses = (before.misses if before is not None else 0) + 1
    hold_s = min(HOLD_LIMIT_S, deadline_s * 2.0 ** min(misses, _MOST_DOUBLINGS))
    return Silence(misses=misses, until_s=now_s + hold_s, penalty_s=hold_s)


def held_back_s(silence: Silence | None, now_s: float) -> float:
    """For how long the slave is not asked yet; 0 when it may be."""
    return max(0.0, silence.until_s - now_s) if silence is not None else 0.0
