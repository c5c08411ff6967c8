"""What to do next about a transaction that is not in a block yet. Pure.

A function of what was sent, the intent's deadline and ceiling, the time and the fee market. The
feerate wanted rises with urgency: it is the market's for as many blocks as are left until the
deadline. Replacing costs more than it adds (every byte is relayed again), so a step is taken only
where the market asks for clearly more than is paid.

Replacement keeps to Bitcoin Core's rules (doc/policy/mempool-replacements.md), by their numbers in
BIP125: 3, at least all the fees of what is evicted; 4, the incremental relay feerate for its own
size on top of them; 5, at most 100 evicted, which own transactions never reach; and Core's 6, a
feerate above that of what it replaces, here above what a miner gets for it with its child. The
signal (1) is not needed since 28.0. A child pays for its parent through own change where replacing
is not allowed; in version 3 it is the only child, of at most 1,000 virtual bytes (BIP431 rules 3
and 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.wallets.feerates import (
    MAX_STANDARD_WEIGHT,
    TRUC_CHILD_MAX_WEIGHT,
    TRUC_VERSION,
    check_feerate,
    fee_sat,
    feerate_of,
)
from shared.errors import BadInputError

BLOCK_MS = 600_000
_STEP_PER_CENT = 125
"""A replacement is worth it where the market asks for a quarter more than is paid."""


@dataclass(frozen=True, slots=True)
class Market:
    """Feerates in sat/kvB: by number of blocks within which they confirm, and the node's own.

    `by_blocks` is empty where the node has no estimate; then nothing is raised.
    """

    by_blocks: Mapping[int, int]
    min_relay: int
    incremental: int

    def __post_init__(self) -> None:
        check_feerate("min_relay", self.min_relay)
        check_feerate("incremental", self.incremental)
        for blocks, feerate in self.by_blocks.items():
            if blocks < 1:
                raise BadInputError("by_blocks", str(blocks), "1 block or more")
            check_feerate("by_blocks", feerate)

    def within(self, blocks: int) -> int | None:
        """The feerate that confirms within so many blocks: the estimate of the longest horizon that
        is not longer, else of the shortest there is. None: not known."""
        if not self.by_blocks:
            return None
        fitting = [one for one in self.by_blocks if one <= blocks]
        horizon = max(fitting) if fitting else min(self.by_blocks)
        return max(self.by_blocks[horizon], self.min_relay)


@dataclass(frozen=True, slots=True)
class Child:
    """Our child of it in the mempool."""

    weight: int
    fee_sat: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The transaction as it stands in the mempool.

    `may_replace` is whether the intent lets its payment be signed anew (BIP125's signal is not
    needed any more), `own_change_sat` the change that a child could spend, 0 where there is none,
    `least_change_sat` what must be left of it, `child_weight` the weight that a child would have.
    """

    version: int
    weight: int
    fee_sat: int
    sent_ms: int
    may_replace: bool
    own_change_sat: int
    least_change_sat: int
    child_weight: int
    child: Child | None = None

    @property
    def feerate(self) -> int:
        """What a miner gets for it in sat/kvB: its own, or with its child where that pays more."""
        own = feerate_of(self.fee_sat, self.weight)
        if self.child is None:
            return own
        together = feerate_of(self.fee_sat + self.child.fee_sat, self.weight + self.child.weight)
        return max(own, together)

    @property
    def paid_sat(self) -> int:
        """The fees of both: what counts against the ceiling."""
        return self.fee_sat + (self.child.fee_sat if self.child is not None else 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the intent: all fees of it together, and when it should be in a block."""

    deadline_ms: int
    ceiling_sat: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing now; look again at `until_ms`, or at a new block."""

    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Sign it anew with this fee. Where `capped`, the ceiling allows no more than this."""

    fee_sat: int
    feerate: int
    capped: bool


@dataclass(frozen=True, slots=True)
class Bump:
    """Spend the own change in a child with this fee."""

    child_fee_sat: int
    feerate: int
    capped: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """More is wanted and nothing may be done: a person has to raise the ceiling, or cancel."""

    why: str
    wanted_feerate: int


Action = Wait | Replace | Bump | Alarm


def blocks_left(limits: Limits, now_ms: int) -> int:
    """Blocks expected until the deadline, 1 at least."""
    return max(1, (limits.deadline_ms - now_ms) // BLOCK_MS)


def next_action(sent: Sent, limits: Limits, now_ms: int, market: Market) -> Action:
    """What to do now."""
    if limits.ceiling_sat < sent.paid_sat:
        return Alarm("what is paid is above the ceiling already", sent.feerate)
    look_again_ms = now_ms + BLOCK_MS
    wanted = market.within(blocks_left(limits, now_ms))
    if wanted is None:
        return Wait(look_again_ms, "the market is not known")
    if sent.feerate >= wanted:
        return Wait(look_again_ms, "it pays what the market asks for")
    is_late = now_ms >= limits.deadline_ms - BLOCK_MS
    is_below_relay = sent.feerate < market.min_relay
    if sent.feerate * _STEP_PER_CENT >= wanted * 100 and not (is_late or is_below_relay):
        return Wait(look_again_ms, "the market asks for little more")
    ways = [_replacement(sent, limits, market, wanted), _child(sent, limits, market, wanted)]
    possible = [way for way in ways if way is not None]
    uncapped = [way for way in possible if not way.capped]
    if uncapped or possible:
        return (uncapped or possible)[0]
    return Alarm(_why_not(sent, limits), wanted)


def _replacement(sent: Sent, limits: Limits, market: Market, wanted: int) -> Replace | None:
    """Rules 3 and 4, and a feerate above what is replaced."""
    if not sent.may_replace:
        return None
    least = max(
        sent.paid_sat + fee_sat(market.incremental, sent.weight),
        fee_sat(sent.feerate + 1, sent.weight),
    )
    fee = max(least, fee_sat(wanted, sent.weight))
    if least > limits.ceiling_sat:
        return None
    capped = fee > limits.ceiling_sat
    fee = min(fee, limits.ceiling_sat)
    return Replace(fee, feerate_of(fee, sent.weight), capped)


def _child(sent: Sent, limits: Limits, market: Market, wanted: int) -> Bump | None:
    """A child whose fee lifts both to what is wanted; one that stands already is replaced."""
    limit = TRUC_CHILD_MAX_WEIGHT if sent.version == TRUC_VERSION else MAX_STANDARD_WEIGHT
    if sent.own_change_sat == 0 or sent.child_weight > limit:
        return None
    both = sent.weight + sent.child_weight
    least = fee_sat(market.min_relay, sent.child_weight)
    if sent.child is not None:
        least = sent.child.fee_sat + fee_sat(market.incremental, sent.child_weight)
    most = min(sent.own_change_sat - sent.least_change_sat, limits.ceiling_sat - sent.fee_sat)
    fee = max(least, fee_sat(wanted, both) - sent.fee_sat)
    if least > most:
        return None
    lifted = feerate_of(sent.fee_sat + min(fee, most), both)
    if lifted <= sent.feerate:
        return None
    return Bump(min(fee, most), lifted, capped=fee > most)


def _why_not(sent: Sent, limits: Limits) -> str:
    if sent.paid_sat >= limits.ceiling_sat or sent.may_replace:
        return "the ceiling leaves no room for another step"
    if sent.own_change_sat == 0:
        return "it may not be replaced and has no change that a child could spend"
    return "its change or the ceiling is too small for a child"
