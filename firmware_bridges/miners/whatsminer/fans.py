"""The two fans of a Whatsminer, which reports its intake's and its exhaust's speed."""

from firmware_bridges.miners.preference import first_reported
from firmware_bridges.readings import FanReading
from shared.measured import Measured, Unknown


def fan_pair(*speeds_rpm: Measured[int]) -> Measured[tuple[FanReading, ...]]:
    """The fans in this order; unknown when every speed is."""
    unknown = [speed for speed in speeds_rpm if isinstance(speed, Unknown)]
    if len(unknown) == len(speeds_rpm):
        return first_reported(*unknown)
    return tuple(FanReading(index, speed) for index, speed in enumerate(speeds_rpm))
