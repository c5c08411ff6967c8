"""Tiers of wallets: coins move inwards freely, outwards within limits. Pure.

Inwards is towards the colder wallet. A payment to somebody else leaves a tier as well as the
company: it counts against the limit of the tier that it leaves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import BadInputError


class Tier(StrEnum):
    """How far from the outside a wallet's keys are."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


_DEPTH = {Tier.HOT: 0, Tier.WARM: 1, Tier.COLD: 2}


@dataclass(frozen=True, slots=True)
class OutwardLimit:
    """The most that leaves a tier outwards: at once, and within a moving window."""

    at_once_sat: int
    in_window_sat: int
    window_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.at_once_sat <= self.in_window_sat or self.window_ms <= 0:
            raise BadInputError(
                "limit", str(self), "0 <= at_once_sat <= in_window_sat, window_ms above 0"
            )


@dataclass(frozen=True, slots=True)
class Outflow:
    """What left a tier outwards before."""

    time_ms: int
    amount_sat: int


def is_inward(source: Tier, target: Tier | None) -> bool:
    """Whether the move is to a wallet as cold or colder; None is somebody else's."""
    return target is not None and _DEPTH[target] >= _DEPTH[source]


def why_not(
    source: Tier,
    target: Tier | None,
    amount_sat: int,
    now_ms: int,
    *,
    limits: Mapping[Tier, OutwardLimit],
    before: Iterable[Outflow],
) -> str | None:
    """Why the move is refused; None: it is not. `before` are the outflows of the source's tier.

    A tier without a limit lets nothing out.
    """
    if is_inward(source, target):
        return None
    limit = limits.get(source)
    if limit is None:
        return f"nothing leaves a {source} wallet outwards: no limit is set"
    if amount_sat > limit.at_once_sat:
        return f"{amount_sat} sat are above the {limit.at_once_sat} sat that may leave at once"
    recent = sum(
        one.amount_sat for one in before if now_ms - limit.window_ms < one.time_ms <= now_ms
    )
    if recent + amount_sat > limit.in_window_sat:
        left = max(0, limit.in_window_sat - recent)
        return f"{left} sat are left of the {limit.in_window_sat} sat of the window"
    return None
