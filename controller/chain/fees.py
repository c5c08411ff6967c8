"""Fee estimates within bounds."""

from dataclasses import dataclass
from enum import Enum

from controller.chain.values import FeeEstimate, NodeFacts
from shared.errors import BadInputError

MAX_TARGET_BLOCKS = 1008


class FeeSource(Enum):
    """Where a quoted feerate comes from."""

    ESTIMATE = "estimate"
    FLOOR = "floor"
    CEILING = "ceiling"
    FALLBACK = "fallback"
    """The backend had no estimate, and the configured fallback stands in."""


@dataclass(frozen=True, slots=True)
class FeeBounds:
    """What a feerate may be, in satoshi per 1,000 vB; no fallback means no quote without estimate.

    The floor is raised to what the node relays at the time.
    """

    floor_sat_per_kvb: int
    ceiling_sat_per_kvb: int
    fallback_sat_per_kvb: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.floor_sat_per_kvb <= self.ceiling_sat_per_kvb:
            raise BadInputError(
                "fees.ceiling_sat_per_kvb",
                f"{self.ceiling_sat_per_kvb} with a floor of {self.floor_sat_per_kvb}",
                "a floor above 0 and a ceiling not below it",
            )
        fallback = self.fallback_sat_per_kvb
        if fallback is not None and not (
            self.floor_sat_per_kvb <= fallback <= self.ceiling_sat_per_kvb
        ):
            raise BadInputError("fees.fallback_sat_per_kvb", str(fallback), "within the bounds")


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """A feerate to build with, and why it is this one."""

    feerate_sat_per_kvb: int
    source: FeeSource
    estimate: FeeEstimate


class NoFeeQuoteError(Exception):
    """No estimate and no fallback, or the node relays nothing as cheap as the ceiling."""


def quote(estimate: FeeEstimate, bounds: FeeBounds, facts: NodeFacts) -> FeeQuote:
    """The estimate brought within the bounds, never below what the node relays.

    `NoFeeQuoteError` where that is impossible: unknown is not cheap, and a ceiling is a ceiling.
    """
    relayed = max(facts.min_relay_sat_per_kvb, facts.mempool_min_sat_per_kvb)
    floor = max(bounds.floor_sat_per_kvb, relayed)
    ceiling = bounds.ceiling_sat_per_kvb
    if floor > ceiling:
        raise NoFeeQuoteError(f"the node relays from {relayed} sat/kvB, the ceiling is {ceiling}")
    wanted = estimate.feerate_sat_per_kvb
    if wanted is None:
        if bounds.fallback_sat_per_kvb is None:
            raise NoFeeQuoteError(f"no estimate ({estimate.problem}) and no fallback configured")
        return FeeQuote(max(floor, bounds.fallback_sat_per_kvb), FeeSource.FALLBACK, estimate)
    if wanted < floor:
        return FeeQuote(floor, FeeSource.FLOOR, estimate)
    if wanted > ceiling:
        return FeeQuote(ceiling, FeeSource.CEILING, estimate)
    return FeeQuote(wanted, FeeSource.ESTIMATE, estimate)


def fee_at(feerate_sat_per_kvb: int, vsize: int) -> int:
    """The fee in satoshi, rounded up (`CFeeRate::GetFee`).

    >>> fee_at(1_000, 141)
    141
    """
    return -(-feerate_sat_per_kvb * vsize // 1_000)


def check_target(target_blocks: int) -> int:
    """The target, if a node would estimate for it."""
    if not 1 <= target_blocks <= MAX_TARGET_BLOCKS:
        raise BadInputError("target_blocks", str(target_blocks), f"from 1 to {MAX_TARGET_BLOCKS}")
    return target_blocks
