"""The life of one message to the webhook: waiting until it is delivered or given up. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a message is; the last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Pauses double from the first to the longest; after `dead_after_ms` nothing more is tried."""

    first_pause_ms: int
    longest_pause_ms: int
    dead_after_ms: int


def next_attempt(
    schedule: Schedule, attempts: int, first_real_ms: int, now_real_ms: int, jitter: float
) -> int | None:
    """When a message that failed for the `attempts`-th time is sent again; None: never.

    `jitter` in [0, 1) takes up to half of the pause away, so that many messages spread out.
    """
    if now_real_ms - first_real_ms >= schedule.dead_after_ms:
        return None
    doubled = schedule.first_pause_ms << min(attempts - 1, 40)
    pause_ms = min(schedule.longest_pause_ms, doubled)
    return now_real_ms + max(1, int(pause_ms * (1 - jitter / 2)))
