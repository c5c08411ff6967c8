"""The `pools` reply of cgminer and its descendants."""

from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.miners.extract import Source, flag, integer, items, one_of, raw, text
from firmware_bridges.readings import PoolReading
from shared.measured import Measured, Unknown

ALIVE: Final = {
    "Alive": True,
    "Dead": False,
    "Disabled": False,
    "Rejecting": False,
}
"""`Status` as `status2str` in cgminer's `api.c` writes it."""


def pool_readings(reply: Source) -> Measured[tuple[PoolReading, ...]]:
    """The pools in the device's order; slots with a blank URL are unused and left out."""
    pools = items(reply, "POOLS", most=16)
    if isinstance(pools, Unknown):
        return pools
    return tuple(
        pool_reading(at, pool, ALIVE) for at, pool in enumerate(pools) if raw(pool, "URL") != ""
    )


def pool_reading(index: int, pool: Mapping[str, Any], alive: Mapping[str, bool]) -> PoolReading:
    """One pool; `alive` says what its `Status` means."""
    return PoolReading(
        index=index,
        url=text(pool, "URL"),
        worker=text(pool, "User"),
        alive=one_of(text(pool, "Status"), alive, "Status"),
        active=flag(pool, "Stratum Active"),
        accepted=integer(pool, "Accepted"),
        rejected=integer(pool, "Rejected"),
        stale=integer(pool, "Stale"),
    )
