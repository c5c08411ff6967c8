"""Proof of funds: the drafted transaction of BIP322, which no chain can have."""

from controller.contracts.context import Coin, ExecutionContext
from controller.contracts.contract import Contract
from controller.contracts.draft import Draft
from controller.contracts.errors import DraftError
from controller.contracts.execute import option_of
from controller.contracts.intents import ProofOfFunds
from controller.contracts.meter import check_usage, measure
from controller.contracts.paths import ContractPath
from controller.wallets.feerates import base_weight, output_weight
from shared.bitcoin import bip322
from shared.bitcoin.transaction import Transaction, TxIn, TxOut

_VERSION = 2


def draft_proof(
    contract: Contract,
    path_name: str,
    context: ExecutionContext,
    proof: ProofOfFunds,
    challenge: tuple[int, int],
) -> Draft:
    """The transaction to sign: the message's input at `challenge` (index and branch of the path's
    part), then the coins. DraftError for a coin that is not among the context's.

    Lock times are met by the transaction alone (BIP322): a path's wait need not be over.
    """
    if proof.id not in context.approvals:
        raise DraftError("approvals", f"none of {proof.id.hex()}", "an approved intent")
    path = contract.path(path_name)
    option = option_of(path, context.available)
    coins = (_challenge(contract, path, context, proof, challenge), *_named(path, context, proof))
    spent = tuple(contract.output(one.part, one.index, one.branch) for one in coins)
    outputs = bip322.to_sign(b"", spent[0].script_pubkey).outputs
    inputs = tuple(TxIn(one.outpoint, sequence=path.older) for one in coins)
    shape = contract.shape(path, option)
    weight = base_weight(1, output_weight(outputs[0].script_pubkey), len(coins))
    usage = measure(shape, len(coins), 1, weight + shape.input_weight * len(coins), 0)
    check_usage(usage, contract.limits)
    return Draft(
        contract,
        path,
        path.options[option],
        Transaction(_VERSION, inputs, outputs, path.after),
        coins,
        spent,
        tuple(TxOut(c.amount_sat, o.script_pubkey) for c, o in zip(coins, spent, strict=True)),
        None,
        {},
        0,
        usage,
    )


def _challenge(
    contract: Contract,
    path: ContractPath,
    context: ExecutionContext,
    proof: ProofOfFunds,
    place: tuple[int, int],
) -> Coin:
    """The output that commits to the message and exists on no chain."""
    index, branch = place
    output = contract.output(path.part, index, branch)
    funding = bip322.to_spend(proof.message.encode(), output.script_pubkey)
    return Coin(funding.outpoint(0), 0, path.part, index, branch, context.tip.height)


def _named(path: ContractPath, context: ExecutionContext, proof: ProofOfFunds) -> tuple[Coin, ...]:
    known = {one.outpoint: one for one in context.coins if one.part == path.part}
    missing = [one.hex for one in proof.coins if one not in known]
    if missing:
        raise DraftError("coins", ", ".join(missing), "coins of the path's part")
    return tuple(known[one] for one in proof.coins)
