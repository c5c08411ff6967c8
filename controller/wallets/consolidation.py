"""Which coins are worth joining while fees are low. Pure.

Joining a coin now costs its input at today's feerate and saves it at the long-term one. What is
left after the one output is worth it; what is not (a coin worth less than its own input) stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.wallets.feerates import base_weight, fee_sat, max_weight, output_weight
from controller.wallets.selection.coins import Spendable
from controller.wallets.selection.evaluate import Costs
from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class ConsolidationRules:
    """Fees are low where the feerate is at most `per_cent_of_long_term` of the long-term one.

    `keep_coins` are left, so that payments do not wait for one coin's confirmation; coins of
    `largest_sat` and above stay as they are.
    """

    per_cent_of_long_term: int = 50
    fewest_coins: int = 10
    keep_coins: int = 20
    largest_sat: int = 10_000_000
    version: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.per_cent_of_long_term <= 100:
            raise BadInputError(
                "per_cent_of_long_term", str(self.per_cent_of_long_term), "from 1 to 100"
            )
        if self.fewest_coins < 2 or self.keep_coins < 0:
            raise BadInputError("fewest_coins, keep_coins", "too few", "2 or more, 0 or more")


@dataclass(frozen=True, slots=True)
class Consolidation:
    """The coins to join, the fee, what comes out, and what it saves in the long run."""

    coins: tuple[Spendable, ...]
    fee_sat: int
    output_sat: int
    weight: int
    saved_sat: int


def plan_consolidation(
    coins: Iterable[Spendable], costs: Costs, rules: ConsolidationRules
) -> Consolidation | None:
    """The consolidation that is worth it now; None: there is none.

    Coins of unconfirmed transactions are left out. Smallest first, so that the count falls most.
    """
    low = costs.feerate * 100 <= costs.long_term_feerate * rules.per_cent_of_long_term
    settled = [coin for coin in coins if coin.pending_parent is None]
    most = len(settled) - rules.keep_coins
    if not low or most < rules.fewest_coins:
        return None
    if len({coin.organisation for coin in settled}) > 1:
        raise BadInputError("coins", "of several organisations", "coins of one organisation")
    useful = sorted(
        (
            coin
            for coin in settled
            if coin.effective(costs.feerate) > 0 and coin.amount_sat < rules.largest_sat
        ),
        key=lambda coin: (coin.amount_sat, coin.outpoint),
    )
    limit = max_weight(rules.version, spends_unconfirmed=False)
    chosen: list[Spendable] = []
    inputs_weight = 0
    for coin in useful[:most]:
        weight = _weight(costs, len(chosen) + 1, inputs_weight + coin.input_weight)
        if weight > limit:
            break
        chosen.append(coin)
        inputs_weight += coin.input_weight
    return _worth_it(chosen, inputs_weight, costs, rules)


def _weight(costs: Costs, inputs: int, inputs_weight: int) -> int:
    return base_weight(1, output_weight(costs.change_script), inputs) + inputs_weight


def _worth_it(
    chosen: list[Spendable], inputs_weight: int, costs: Costs, rules: ConsolidationRules
) -> Consolidation | None:
    weight = _weight(costs, len(chosen), inputs_weight)
    fee = fee_sat(costs.feerate, weight)
    later = fee_sat(costs.long_term_feerate, inputs_weight)
    saved = later - fee_sat(costs.long_term_feerate, costs.change_input_weight) - fee
    output = sum(coin.amount_sat for coin in chosen) - fee
    if len(chosen) < rules.fewest_coins or saved <= 0 or output < costs.least_change:
        return None
    return Consolidation(tuple(chosen), fee, output, weight, saved)
