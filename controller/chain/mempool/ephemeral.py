"""Ephemeral dust (Core 29.0's `src/policy/ephemeral_policy.cpp`)."""

from collections.abc import Sequence

from controller.chain.mempool.policy import Policy, RefusedError
from controller.chain.mempool.pool import Pool
from controller.chain.mempool.standardness import dust_outputs
from shared.bitcoin.transaction import OutPoint, Transaction


def check_free(transaction: Transaction, fee_sat: int, policy: Policy) -> None:
    """Who makes dust pays no fee, so that nobody has a reason to mine it alone."""
    if fee_sat and dust_outputs(transaction, policy):
        raise RefusedError("dust", "tx with dust output must be 0-fee")


def check_spends(
    transaction: Transaction, package: Sequence[Transaction], pool: Pool, policy: Policy
) -> None:
    """Who spends from an unconfirmed parent spends all of that parent's dust."""
    in_package = {one.txid: one for one in package}
    spent = {one.outpoint for one in transaction.inputs}
    for txid in {one.txid for one in spent}:
        entry = pool.get(txid)
        parent = in_package.get(txid) or (entry.transaction if entry is not None else None)
        if parent is None:
            continue
        for vout in dust_outputs(parent, policy):
            if OutPoint(txid, vout) not in spent:
                raise RefusedError(
                    "missing-ephemeral-spends",
                    f"tx {transaction.hex} did not spend dust output {vout} of {parent.hex}",
                )
