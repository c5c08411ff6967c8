"""Pools in groups, as Braiins OS lists them over either API."""

from collections.abc import Mapping
from typing import Any, Final

from firmware_bridges.miners.extract import items
from shared.measured import Measured, Unknown

_MOST: Final = 64


def pools_of(
    groups: Measured[tuple[Mapping[str, Any], ...]],
) -> Measured[tuple[Mapping[str, Any], ...]]:
    """The pools of every group, counted through; unknown when those of one group are."""
    if isinstance(groups, Unknown):
        return groups
    pools: list[Mapping[str, Any]] = []
    for group in groups:
        within = items(group, "pools")
        if isinstance(within, Unknown):
            return within
        pools.extend(within)
    return tuple(pools[:_MOST])
