"""Script verification by Core's own engine: consensus rules, not policy.

Every transaction that the suite builds passes `verify` before it is broadcast. The engine knows
consensus flags only (P2SH to taproot); what is merely non-standard passes here, and
`controller.chain.mempool.standardness` or the node refuses it.
"""

from collections.abc import Sequence

import pbk
from pbk.script import PrecomputedTransactionData

from controller.chain.errors import ScriptRefusedError
from shared.bitcoin.errors import TransactionError
from shared.bitcoin.transaction import Transaction, TxOut

_FLAGS = pbk.ScriptVerificationFlags.ALL


def verify(transaction: Transaction, prevouts: Sequence[TxOut]) -> None:
    """Verifies every input against the output it spends; `ScriptRefusedError` names the first bad.

    `prevouts` are the outputs spent, in the order of the inputs. Scripts only: whether they exist,
    are mature or suffice for the outputs is not looked at.
    """
    if len(prevouts) != len(transaction.inputs):
        raise TransactionError(
            "prevouts", str(len(prevouts)), f"{len(transaction.inputs)}, one an input"
        )
    subject = pbk.Transaction(transaction.serialise())
    scripts = [pbk.ScriptPubkey(one.script_pubkey) for one in prevouts]
    spent = [
        pbk.TransactionOutput(script, one.amount_sat)
        for script, one in zip(scripts, prevouts, strict=True)
    ]
    precomputed = PrecomputedTransactionData(subject, spent)
    for index, (script, output) in enumerate(zip(scripts, prevouts, strict=True)):
        try:
            is_valid = script.verify(output.amount_sat, subject, precomputed, index, _FLAGS)
        except pbk.ScriptVerifyException as error:
            raise ScriptRefusedError(transaction.txid, index, str(error)) from error
        if not is_valid:
            raise ScriptRefusedError(transaction.txid, index, "script or signature is not valid")
