"""The controller's clock: business time, which a demonstration may run faster than real time."""

import time
from typing import Protocol

from shared.time import TimeScale


class Clock(Protocol):
    """Where business time comes from; network deadlines use real monotonic seconds instead."""

    def now_ms(self) -> int:
        """Business time in UTC milliseconds since the epoch."""
        ...

    def real_ms(self) -> int:
        """Real time in UTC milliseconds, for intervals that replicas must agree on."""
        ...


class SystemClock:
    """The host's clock, seen through a time scale."""

    def __init__(self, scale: TimeScale | None = None) -> None:
        self._scale = scale if scale is not None else TimeScale()

    def now_ms(self) -> int:
        """See `Clock`."""
        return self._scale.shown_ms(self.real_ms())

    def real_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000
