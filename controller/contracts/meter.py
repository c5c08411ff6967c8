"""The resource meter: what a spend needs of each scarce thing, against the contract's limits.

What exceeds a limit is refused before anyone signs, by the limit's name and the figure. The
figures are of consensus (BIP141, BIP342) or of standardness as Bitcoin Core 29 has it.
"""

from dataclasses import dataclass
from typing import Final

from controller.contracts.errors import LimitExceededError
from controller.wallets.feerates import dust_limit_sat, feerate_of
from shared.bitcoin.transaction import TxOut

SIGOP_WEIGHT: Final = 50
"""What each signature in a tapscript takes of its input's budget (BIP342)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A contract's limits; the defaults are what Bitcoin Core 29 relays, or less."""

    max_weight: int = 400_000
    max_sigop_cost: int = 16_000
    max_inputs: int = 1_000
    max_outputs: int = 2_000
    max_witness_items: int = 1_000
    max_element_bytes: int = 520
    max_script_bytes: int = 329_482
    min_tapscript_budget: int = 0
    max_fee_sat: int = 10_000_000
    max_feerate_sat_per_kvb: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """The most that one input needs when it is spent by one option of a path.

    `tapscript_budget` is what is left of the input's signature budget, None outside tapscript.
    `witness_items` leaves out script and control block; `element_bytes` is the largest of them.
    """

    input_weight: int
    witness_items: int
    element_bytes: int
    script_bytes: int
    sigop_cost: int
    tapscript_budget: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a transaction needs, at most. `feerate_sat_per_kvb` is at that weight."""

    weight: int
    sigop_cost: int
    inputs: int
    outputs: int
    witness_items: int
    element_bytes: int
    script_bytes: int
    tapscript_budget: int | None
    fee_sat: int

    @property
    def feerate_sat_per_kvb(self) -> int:
        """The fee as a feerate."""
        return feerate_of(self.fee_sat, self.weight)


def measure(shape: Shape, inputs: int, outputs: int, weight: int, fee_sat: int) -> Usage:
    """The usage of a transaction whose inputs all have this shape."""
    return Usage(
        weight,
        shape.sigop_cost * inputs,
        inputs,
        outputs,
        shape.witness_items,
        shape.element_bytes,
        shape.script_bytes,
        shape.tapscript_budget,
        fee_sat,
    )


def check_usage(usage: Usage, limits: Limits) -> None:
    """Refuses with LimitExceededError the first figure that is above its limit."""
    for name, figure, limit in (
        ("weight", usage.weight, limits.max_weight),
        ("sigop_cost", usage.sigop_cost, limits.max_sigop_cost),
        ("inputs", usage.inputs, limits.max_inputs),
        ("outputs", usage.outputs, limits.max_outputs),
        ("witness_items", usage.witness_items, limits.max_witness_items),
        ("element_bytes", usage.element_bytes, limits.max_element_bytes),
        ("script_bytes", usage.script_bytes, limits.max_script_bytes),
        ("fee_sat", usage.fee_sat, limits.max_fee_sat),
        ("feerate_sat_per_kvb", usage.feerate_sat_per_kvb, limits.max_feerate_sat_per_kvb),
    ):
        if figure > limit:
            raise LimitExceededError(name, figure, limit)
    budget = usage.tapscript_budget
    if budget is not None and budget < limits.min_tapscript_budget:
        raise LimitExceededError(
            "tapscript_budget", budget, limits.min_tapscript_budget, is_minimum=True
        )


def check_dust(outputs: tuple[TxOut, ...], dust_relay_sat_per_kvb: int) -> None:
    """Refuses with LimitExceededError an output that nobody relays for being dust."""
    for place, one in enumerate(outputs):
        least = dust_limit_sat(one.script_pubkey, dust_relay_sat_per_kvb)
        if one.amount_sat < least:
            raise LimitExceededError(
                f"outputs[{place}].amount_sat", one.amount_sat, least, is_minimum=True
            )
