"""A drafted transaction: what is to be signed, and what whoever signs has to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from controller.contracts.context import Coin
from controller.contracts.contract import Contract
from controller.contracts.meter import Usage
from controller.contracts.paths import ContractPath, Option
from shared.approvals.intents import PaymentOutput
from shared.approvals.payment import Draft as ApprovedDraft
from shared.bitcoin import address
from shared.bitcoin.descriptors import DerivedOutput, DerivedScript, Form
from shared.bitcoin.errors import AddressError
from shared.bitcoin.networks import Network
from shared.bitcoin.sighash import SegwitV0Sighash, TaprootSighash
from shared.bitcoin.taproot import Leaf
from shared.bitcoin.transaction import Transaction, TxOut


@dataclass(frozen=True, slots=True)
class LeafUse:
    """The tapscript that an input runs, and its leaf with its hash."""

    part: DerivedScript
    leaf: Leaf
    hash: bytes


@dataclass(frozen=True)
class Draft:
    """An unsigned transaction by one option of a path.

    `coins`, `spent` (their derived outputs) and `prevouts` are in the order of the inputs. `change`
    is the place of the change output, None without one; `own_outputs` has change and moves into the
    contract's own parts, by their place. `usage` is the most that it can need.
    """

    contract: Contract
    path: ContractPath
    option: Option
    transaction: Transaction
    coins: tuple[Coin, ...]
    spent: tuple[DerivedOutput, ...]
    prevouts: tuple[TxOut, ...]
    change: int | None
    own_outputs: Mapping[int, DerivedOutput]
    fee_sat: int
    usage: Usage

    @cached_property
    def leaves(self) -> tuple[LeafUse | None, ...]:
        """The leaf that each input runs, None for key paths and P2WSH."""
        if self.option.spending.leaf is None:
            return (None,) * len(self.spent)
        parts = [one.scripts[self.option.spending.leaf] for one in self.spent]
        leaves = [one.leaf for one in parts]
        return tuple(
            LeafUse(part, leaf, leaf.hash) for part, leaf in zip(parts, leaves, strict=True)
        )

    @cached_property
    def digests(self) -> list[bytes]:
        """What is signed for each input: SIGHASH_ALL, for taproot SIGHASH_DEFAULT."""
        first = self.spent[0]
        if first.form is Form.WSH:
            segwit = SegwitV0Sighash(self.transaction)
            return [
                segwit.digest(place, output.scripts[0].content, prevout.amount_sat)
                for place, (output, prevout) in enumerate(
                    zip(self.spent, self.prevouts, strict=True)
                )
            ]
        taproot = TaprootSighash(self.transaction, self.prevouts)
        return [
            taproot.digest(place, leaf_hash=None if leaf is None else leaf.hash)
            for place, leaf in enumerate(self.leaves)
        ]

    def as_approved(self, wallet: str) -> ApprovedDraft:
        """The draft as `shared.approvals.payment.deviation` compares it with the intent."""
        outputs = tuple(
            as_payment_output(one, self.contract.network)
            for place, one in enumerate(self.transaction.outputs)
            if place != self.change
        )
        return ApprovedDraft(wallet, self.path.name, outputs, self.fee_sat)


def as_payment_output(output: TxOut, network: Network) -> PaymentOutput:
    """The output as approvers read it: by address where its script has one."""
    try:
        text = address.encode(output.script_pubkey, network)
    except AddressError:
        return PaymentOutput(output.amount_sat, script=output.script_pubkey)
    return PaymentOutput(output.amount_sat, address=text)
