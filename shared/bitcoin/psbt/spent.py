"""What the inputs spend, and whether the PSBT proves it.

A BIP143 signature commits to the amount of its own input only: told a smaller amount for one input
at a time, a signer gives the difference away as fee, over two signatures. So every input that is
not taproot needs the whole previous transaction, which the txid proves; taproot signatures commit
to all amounts and scripts, and the bare output is enough (BIP371 "UTXO Types").
"""

from typing import Final

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.model import Psbt, PsbtInput
from shared.bitcoin.script import ScriptKind, classify, p2sh
from shared.bitcoin.transaction import TxOut, display

_PREVIOUS: Final = "PSBT_IN_NON_WITNESS_UTXO"
_WITNESS: Final = "PSBT_IN_WITNESS_UTXO"


def check_utxos(psbt: Psbt) -> None:
    """Refuse a previous transaction of another txid and outputs that contradict each other."""
    for at, one in enumerate(psbt.inputs):
        _proven(one, at)


def spent_outputs(psbt: Psbt) -> tuple[TxOut, ...]:
    """Every output spent, proven as its kind demands. Raises PsbtError for one that is not."""
    return tuple(spent_output(one, at) for at, one in enumerate(psbt.inputs))


def spent_output(one: PsbtInput, at: int) -> TxOut:
    """The output an input spends, proven as its kind demands. Raises PsbtError."""
    proven = _proven(one, at)
    if proven is not None:
        return proven
    if one.witness_utxo is None:
        raise PsbtError(f"inputs[{at}].{_WITNESS}", "missing", "the output that is spent")
    if classify(one.witness_utxo.script_pubkey) is not ScriptKind.P2TR:
        raise PsbtError(
            f"inputs[{at}].{_PREVIOUS}", "missing", "the previous transaction, as it is no taproot"
        )
    return one.witness_utxo


def program_of(one: PsbtInput, spent: TxOut, at: int) -> bytes:
    """The script that decides: the redeem script of P2SH, else the output's script.

    Raises PsbtError when the redeem script is missing or another's.
    """
    if classify(spent.script_pubkey) is not ScriptKind.P2SH:
        return spent.script_pubkey
    redeem = one.redeem_script
    if redeem is None or p2sh(redeem) != spent.script_pubkey:
        raise PsbtError(
            f"inputs[{at}].PSBT_IN_REDEEM_SCRIPT",
            "missing" if redeem is None else "another script",
            "the script the output commits to",
        )
    return redeem


def _proven(one: PsbtInput, at: int) -> TxOut | None:
    """The output as the previous transaction shows it, None without one; refuses lies."""
    previous = one.previous_transaction
    if previous is None:
        return None
    if previous.txid != one.previous_txid:
        raise PsbtError(
            f"inputs[{at}].{_PREVIOUS}",
            f"transaction {display(previous.txid)}",
            f"transaction {display(one.previous_txid)}, which is spent",
        )
    if one.output_index >= len(previous.outputs):
        raise PsbtError(
            f"inputs[{at}].{_PREVIOUS}",
            f"{len(previous.outputs)} outputs",
            f"a transaction with an output {one.output_index}",
        )
    proven = previous.outputs[one.output_index]
    if one.witness_utxo not in (None, proven):
        raise PsbtError(
            f"inputs[{at}].{_WITNESS}",
            "another amount or script than the previous transaction's output",
            f"{proven.amount_sat} sat to {proven.script_pubkey.hex()}",
        )
    return proven
