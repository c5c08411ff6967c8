"""Whether a simulated device is there, and what it does wrong with the next request."""

import time
from collections.abc import Callable

from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script


class Presence:
    """Consults the script at each request; a reboot ends after `boot_s` seconds of `clock`.

    `on_power_up` is called when the device is back.
    """

    def __init__(
        self,
        script: Script,
        on_power_up: Callable[[], None],
        *,
        boot_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._script = script
        self._on_power_up = on_power_up
        self._boot_s = boot_s
        self._clock = clock
        self._gone_since_s: float | None = None

    def next(self) -> Misbehaviour | None:
        """What to do wrong with this request."""
        if self._script.current is Misbehaviour.REBOOT:
            if self._gone_since_s is None:
                self._gone_since_s = self._clock()
            if self._clock() - self._gone_since_s < self._boot_s:
                self._script.take()
                return Misbehaviour.REBOOT
            self._script.clear()
        if self._gone_since_s is not None:
            self._gone_since_s = None
            self._on_power_up()
        return self._script.take()
