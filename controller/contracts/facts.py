"""From what the chain shows of a contract's coins to the events of its life. Pure.

`observe` compares two readings: it never guesses what happened in between, so a controller that was
down for a hundred blocks catches up with the same events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from controller.contracts.life import ContractEvent
from controller.contracts.paths import Outcome
from shared.bitcoin.transaction import OutPoint


@dataclass(frozen=True, slots=True)
class SpendFact:
    """The spend of a coin, in the mempool or a block. `outcome` is its path's, None where we did
    not draft it; `to_successor` where it moves the coin into the contract that follows."""

    txid: bytes
    outcome: Outcome | None
    is_final: bool = False
    to_successor: bool = False


@dataclass(frozen=True, slots=True)
class CoinFact:
    """An output that pays to the contract, with its spend if there is one."""

    outpoint: OutPoint
    part: str
    amount_sat: int
    spend: SpendFact | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the chain shows at one tip.

    `coins` are all that are in the best chain or the mempool, spent ones too. `past_deadline` is
    set once the funding deadline is finality-deep past, `deep_reorganisations` counts those.
    """

    coins: tuple[CoinFact, ...] = ()
    past_deadline: bool = False
    deep_reorganisations: int = 0


class Funding(IntEnum):
    """How much of what was agreed is there."""

    NONE = 0
    PART = 1
    FULL = 2
    ABOVE = 3


def funding(reading: Reading, agreed: Mapping[str, int | None]) -> Funding:
    """The funding against what each part has to hold (None: any amount is all of it).

    A coin that was spent counts: what was paid in was paid in.
    """
    held = dict.fromkeys(agreed, 0)
    for coin in reading.coins:
        held[coin.part] += coin.amount_sat
    if not any(held.values()):
        return Funding.NONE
    open_ended = [part for part, due in agreed.items() if due is None]
    due = {part: amount for part, amount in agreed.items() if amount is not None}
    if open_ended and not due:
        return Funding.FULL
    if any(held[part] < amount for part, amount in due.items()):
        return Funding.PART
    return Funding.ABOVE if any(held[p] > amount for p, amount in due.items()) else Funding.FULL


def observe(
    before: Reading, after: Reading, agreed: Mapping[str, int | None]
) -> tuple[ContractEvent, ...]:
    """The events between two readings, in the order to apply them: what was undone first."""
    told = (
        *_reorganised(before, after),
        *_funding_events(before, after, agreed),
        *_final_events(before, after),
    )
    return told + tuple(_spend_events(before, after, is_changed=bool(told)))


def _reorganised(before: Reading, after: Reading) -> Iterator[ContractEvent]:
    if after.deep_reorganisations > before.deep_reorganisations:
        yield ContractEvent.DEEP_REORGANISATION
    spends = {coin.spend.txid for coin in after.coins if coin.spend is not None}
    if any(coin.spend is not None and coin.spend.txid not in spends for coin in before.coins):
        yield ContractEvent.SPEND_UNDONE


_RISEN = {
    Funding.PART: ContractEvent.FUNDED_IN_PART,
    Funding.FULL: ContractEvent.FUNDED_IN_FULL,
    Funding.ABOVE: ContractEvent.FUNDED_ABOVE,
}


def _funding_events(
    before: Reading, after: Reading, agreed: Mapping[str, int | None]
) -> Iterator[ContractEvent]:
    was, now = funding(before, agreed), funding(after, agreed)
    known = {coin.outpoint for coin in before.coins}
    has_new = any(coin.outpoint not in known for coin in after.coins)
    if now < was:
        yield {
            Funding.NONE: ContractEvent.FUNDING_UNDONE,
            Funding.PART: ContractEvent.FUNDING_CUT,
        }.get(now, ContractEvent.FUNDED_IN_FULL)
    elif now > was:
        is_again = now is Funding.ABOVE and was is Funding.FULL
        yield ContractEvent.FUNDED_AGAIN if is_again else _RISEN[now]
    elif has_new and now is Funding.ABOVE:
        yield ContractEvent.FUNDED_AGAIN
    elif has_new:
        yield _RISEN[now]
    if after.past_deadline and not before.past_deadline:
        yield ContractEvent.DEADLINE_FINAL


def _spend_events(before: Reading, after: Reading, *, is_changed: bool) -> Iterator[ContractEvent]:
    """Spends not told yet; and where something else has changed, those still on their way, so that
    the last word is theirs."""
    known = {coin.spend.txid for coin in before.coins if coin.spend is not None}
    spends = [coin.spend for coin in after.coins if coin.spend is not None]
    told = [one for one in spends if one.txid not in known or (is_changed and not one.is_final)]
    if any(one.outcome is not None and not one.is_final for one in told):
        yield ContractEvent.SPEND_SEEN
    is_lost = len(spends) == len(after.coins) and all(one.is_final for one in spends)
    if any(one.outcome is None for one in told) and not is_lost:
        yield ContractEvent.UNKNOWN_SPEND


def _final_events(before: Reading, after: Reading) -> Iterator[ContractEvent]:
    was = {coin.outpoint for coin in before.coins if coin.spend and coin.spend.is_final}
    final = [coin for coin in after.coins if coin.spend is not None and coin.spend.is_final]
    if not any(coin.outpoint not in was for coin in final):
        return
    if len(final) < len(after.coins):
        yield ContractEvent.SPEND_FINAL
        return
    spends = [coin.spend for coin in final if coin.spend is not None]
    outcomes = {one.outcome for one in spends}
    if None in outcomes:
        yield ContractEvent.LOSS_FINAL
    elif all(one.to_successor for one in spends):
        yield ContractEvent.MOVED_FINAL
    elif Outcome.CONTINUES in outcomes:
        yield ContractEvent.EMPTIED_FINAL
    elif outcomes == {Outcome.REFUNDS}:
        yield ContractEvent.REFUND_FINAL
    else:
        yield ContractEvent.SETTLED_FINAL
