"""What the boards of a miner come to together."""

from collections.abc import Callable

from firmware_bridges.miners.extract import ABSENT
from firmware_bridges.readings import BoardReading
from shared.measured import Measured, Unknown


def hottest(
    boards: Measured[tuple[BoardReading, ...]],
    temperature_c: Callable[[BoardReading], Measured[float]],
) -> Measured[float]:
    """The highest of one temperature; unknown when any board's is, for it may be the highest."""
    if isinstance(boards, Unknown):
        return boards
    highest: Measured[float] = ABSENT
    for board in boards:
        value = temperature_c(board)
        if isinstance(value, Unknown):
            return value
        if isinstance(highest, Unknown) or value > highest:
            highest = value
    return highest
