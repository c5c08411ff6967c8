"""Making a PSBT from a draft, and one version from the other (BIP370 "Backwards Compatibility")."""

from dataclasses import replace
from typing import Literal

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.model import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.transaction import Transaction


def create(draft: Transaction, version: Literal[0, 2] = 2) -> Psbt:
    """The Creator and Constructor in one: a PSBT of a draft that nobody else may change.

    Raises PsbtError when an input of the draft has a scriptSig or witness.
    """
    for at, one in enumerate(draft.inputs):
        if one.script_sig or one.witness:
            raise PsbtError(f"inputs[{at}]", "already signed", "no scriptSig, no witness")
    inputs = tuple(
        PsbtInput(one.outpoint.txid, one.outpoint.vout, one.sequence) for one in draft.inputs
    )
    outputs = tuple(PsbtOutput(one.amount_sat, one.script_pubkey) for one in draft.outputs)
    return Psbt(version, draft.version, inputs, outputs, fallback_lock_time=draft.lock_time)


def to_version_2(psbt: Psbt) -> Psbt:
    """The same PSBT in version 2; nothing of version 0 is lost."""
    return replace(psbt, version=2)


def to_version_0(psbt: Psbt) -> Psbt:
    """The same transaction in version 0, its lock time now fixed.

    What version 0 has no place for goes: required lock times and the modifiable flags. Raises
    PsbtError when the required lock times contradict each other.
    """
    inputs = tuple(
        replace(one, sequence=one.effective_sequence, required_time=None, required_height=None)
        for one in psbt.inputs
    )
    return replace(
        psbt,
        version=0,
        inputs=inputs,
        fallback_lock_time=psbt.lock_time,
        modifiable=None,
    )
