"""One choice of coins taken to its end: its fee, whether it has change, what it wastes.

The waste metric is Bitcoin Core's (coinselection.cpp, GetSelectionWaste): what the inputs cost now
above what they would cost at the feerate of the long run, plus the cost of making and later
spending change, or what is given away where there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.wallets.feerates import (
    DUST_RELAY_SAT_PER_KVB,
    base_weight,
    check_feerate,
    dust_limit_sat,
    fee_sat,
    output_weight,
)
from controller.wallets.selection.coins import Spendable
from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.transaction import TxOut
from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Costs:
    """What a choice is judged by: feerates in sat/kvB, and where change would go.

    `change_input_weight` is what spending the change will weigh one day.
    """

    feerate: int
    long_term_feerate: int
    change_script: bytes
    change_input_weight: int
    dust_relay_feerate: int = DUST_RELAY_SAT_PER_KVB

    def __post_init__(self) -> None:
        check_feerate("feerate", self.feerate)
        check_feerate("long_term_feerate", self.long_term_feerate)
        check_feerate("dust_relay_feerate", self.dust_relay_feerate)
        if not 164 <= self.change_input_weight <= 400_000:  # 41 bytes without any witness
            raise BadInputError(
                "change_input_weight", str(self.change_input_weight), "from 164 to 400000"
            )

    @property
    def cost_of_change(self) -> int:
        """Satoshi for the output now and its input later."""
        made = fee_sat(self.feerate, output_weight(self.change_script))
        return made + fee_sat(self.long_term_feerate, self.change_input_weight)

    @property
    def least_change(self) -> int:
        """The least change worth having: no dust, and above what spending it will cost."""
        dust = dust_limit_sat(self.change_script, self.dust_relay_feerate)
        return max(dust, fee_sat(self.long_term_feerate, self.change_input_weight) + 1)


@dataclass(frozen=True, slots=True)
class Choice:
    """The coins, the exact fee, the change (0: none) and the weight of the whole transaction.

    `waste` is in 1/4000 satoshi, for comparing only. `way` names how the coins were found.
    """

    coins: tuple[Spendable, ...]
    fee_sat: int
    change_sat: int
    weight: int
    waste: int
    way: str

    @property
    def total_sat(self) -> int:
        """The sum of the inputs."""
        return sum(coin.amount_sat for coin in self.coins)


class Judge:
    """Judges choices for one set of outputs."""

    def __init__(self, costs: Costs, outputs: Sequence[TxOut], max_weight: int) -> None:
        self.costs = costs
        self.max_weight = max_weight
        self.paid_sat = sum(one.amount_sat for one in outputs)
        check_amount_sat("outputs", self.paid_sat)
        self._outputs = len(outputs)
        self._outputs_weight = sum(output_weight(one.script_pubkey) for one in outputs)
        self._change_weight = output_weight(costs.change_script)
        self.cost_of_change = costs.cost_of_change
        self.least_change = costs.least_change

    def weight(self, inputs: int, inputs_weight: int, *, with_change: bool) -> int:
        """The whole transaction's."""
        outputs = self._outputs + with_change
        outputs_weight = self._outputs_weight + (self._change_weight if with_change else 0)
        return base_weight(outputs, outputs_weight, inputs) + inputs_weight

    def needed_without_change(self, inputs: int) -> int:
        """The effective value in 1/4000 satoshi that so many inputs need at least, change apart."""
        base = self.weight(inputs, 0, with_change=False)
        return 4_000 * self.paid_sat + self.costs.feerate * base

    def needed_with_change(self, inputs: int) -> int:
        """As much, and enough above it that change is made and wastes less than none."""
        base = self.weight(inputs, 0, with_change=True)
        least = max(self.least_change, self.cost_of_change)
        return 4_000 * (self.paid_sat + least + 1) + self.costs.feerate * (base + 3)

    @property
    def most_given_away(self) -> int:
        """Satoshi above the need, up to which there can be no change or it is not worth making."""
        made = fee_sat(self.costs.feerate, self._change_weight + 12)
        return max(self.cost_of_change, self.least_change + made)

    def judge(self, coins: Sequence[Spendable], way: str) -> Choice | None:
        """The choice; None where the coins do not suffice, or weigh too much.

        Change is made where it is worth having and costs less than giving the rest to the miners.
        What is given away so is never more than `most_given_away`.
        """
        inputs_weight = sum(coin.input_weight for coin in coins)
        total = sum(coin.amount_sat for coin in coins)
        rate, long_term = self.costs.feerate, self.costs.long_term_feerate
        weight = self.weight(len(coins), inputs_weight, with_change=False)
        excess = total - self.paid_sat - fee_sat(rate, weight)
        if not coins or excess < 0 or weight > self.max_weight:
            return None
        waste = inputs_weight * (rate - long_term)
        wider = self.weight(len(coins), inputs_weight, with_change=True)
        fee = fee_sat(rate, wider)
        change = total - self.paid_sat - fee
        makes_change = change >= self.least_change and wider <= self.max_weight
        if makes_change and (excess > self.cost_of_change or not self._outputs):
            waste += 4_000 * self.cost_of_change
            return Choice(tuple(coins), fee, change, wider, waste, way)
        if not self._outputs or excess > self.most_given_away:
            return None
        fee = total - self.paid_sat
        return Choice(tuple(coins), fee, 0, weight, waste + 4_000 * excess, way)
