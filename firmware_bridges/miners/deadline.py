"""One deadline over several exchanges with a device."""

import asyncio

from firmware_bridges.errors import DeviceTimeoutError


class Deadline:
    """Counts down real seconds of the running event loop from its making."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_s = asyncio.get_running_loop().time() + seconds

    def left_s(self) -> float:
        """What is left; `DeviceTimeoutError` when nothing is."""
        left = self._ends_s - asyncio.get_running_loop().time()
        if left <= 0:
            raise DeviceTimeoutError(f"not done within {self._seconds:g} s")
        return left
