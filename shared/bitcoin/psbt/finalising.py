"""The Finaliser and the Extractor: signatures to witnesses, PSBT to transaction (BIP174).

How a script is satisfied is not known here: a `Satisfier`, which a descriptor's output is, makes
the witness from what is `offered`. Key spends (P2WPKH, taproot's key path) need none.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from shared.bitcoin.descriptors.outputs import Offered, Spend
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.hashes import hash160
from shared.bitcoin.psbt.model import Psbt, PsbtInput
from shared.bitcoin.psbt.sighash_types import ecdsa_type, is_ecdsa, is_schnorr, schnorr_type
from shared.bitcoin.psbt.spent import program_of, spent_output
from shared.bitcoin.script import ScriptKind, classify, push
from shared.bitcoin.transaction import Transaction, TxIn, TxOut


class Satisfier(Protocol):
    """What knows an input's script: a `DerivedOutput` of a descriptor is one."""

    def satisfaction(self, offered: Offered) -> Spend | None:
        """The whole witness, script and control block included; None while something is missing."""
        ...


def finalise(psbt: Psbt, satisfiers: Mapping[int, Satisfier]) -> Psbt:
    """Give every input its witness and drop what it was made from.

    `satisfiers` are by input; inputs without one must be key spends. Raises PsbtError naming the
    input that lacks signatures, has one of another sighash type, or is proven wrong.
    """
    inputs = tuple(
        one if one.is_final else _finalised(psbt, at, satisfiers.get(at))
        for at, one in enumerate(psbt.inputs)
    )
    return replace(psbt, inputs=inputs)


def offered(psbt: Psbt, at: int) -> Offered:
    """What input `at` has to be spent with so far: signatures, preimages and locks."""
    one = psbt.inputs[at]
    in_leaves = one.tap_script_signatures.items()
    return Offered(
        signatures=one.partial_signatures,
        key_signature=one.tap_key_signature,
        leaf_signatures={(place[:32], place[32:]): signature for place, signature in in_leaves},
        preimages={
            **one.ripemd160_preimages,
            **one.sha256_preimages,
            **one.hash160_preimages,
            **one.hash256_preimages,
        },
        sequence=one.effective_sequence,
        lock_time=psbt.lock_time,
        version=psbt.tx_version,
    )


def extract(psbt: Psbt) -> Transaction:
    """The signed transaction. Raises PsbtError naming an input that is not final."""
    for at, one in enumerate(psbt.inputs):
        if not one.is_final:
            raise PsbtError(f"inputs[{at}]", "not final", "a final witness")
    unsigned = psbt.unsigned
    if all(one.final_script_sig is None for one in psbt.inputs):
        return unsigned.with_witnesses([one.final_witness or () for one in psbt.inputs])
    inputs = tuple(
        TxIn(
            one.outpoint,
            one.final_script_sig or b"",
            one.effective_sequence,
            one.final_witness or (),
        )
        for one in psbt.inputs
    )
    return Transaction(unsigned.version, inputs, unsigned.outputs, unsigned.lock_time)


def _finalised(psbt: Psbt, at: int, satisfier: Satisfier | None) -> PsbtInput:
    one = psbt.inputs[at]
    spent = spent_output(one, at)
    program = program_of(one, spent, at)
    _check_types(one, at, classify(program))
    if satisfier is None:
        witness = _key_spend(one, at, program)
    else:
        spend = satisfier.satisfaction(offered(psbt, at))
        if spend is None:
            raise PsbtError(f"inputs[{at}]", "not satisfied", "signatures enough for its script")
        witness = spend.witness
    return PsbtInput(
        previous_txid=one.previous_txid,
        output_index=one.output_index,
        sequence=one.sequence,
        required_time=one.required_time,
        required_height=one.required_height,
        previous_transaction=one.previous_transaction,
        witness_utxo=one.witness_utxo,
        final_script_sig=_script_sig(spent, program),
        final_witness=witness,
        others=one.others,
    )


def _script_sig(spent: TxOut, program: bytes) -> bytes | None:
    return None if program == spent.script_pubkey else push(program)


def _check_types(one: PsbtInput, at: int, kind: ScriptKind) -> None:
    """BIP174: a finaliser refuses signatures of another sighash type than the input's."""
    if kind is ScriptKind.P2TR:
        wanted = schnorr_type(one, at)
        signatures = [*one.tap_script_signatures.values()]
        if one.tap_key_signature is not None:
            signatures.append(one.tap_key_signature)
        valid = all(is_schnorr(signature, wanted) for signature in signatures)
    elif kind in (ScriptKind.P2WPKH, ScriptKind.P2WSH):
        ecdsa_type(one, at)
        valid = all(is_ecdsa(signature) for signature in one.partial_signatures.values())
    else:
        raise PsbtError(f"inputs[{at}]", f"spends {kind.value}", "witness v0, or v1 (taproot)")
    if not valid:
        raise PsbtError(f"inputs[{at}]", "a signature of another sighash type", "the input's type")


def _key_spend(one: PsbtInput, at: int, program: bytes) -> tuple[bytes, ...]:
    kind = classify(program)
    if kind is ScriptKind.P2TR:
        if one.tap_key_signature is None:
            raise PsbtError(f"inputs[{at}].PSBT_IN_TAP_KEY_SIG", "missing", "a signature")
        return (one.tap_key_signature,)
    if kind is not ScriptKind.P2WPKH:
        raise PsbtError(f"inputs[{at}]", "spends a script", "a satisfier for this input")
    for key, signature in one.partial_signatures.items():
        if len(key) == 33 and hash160(key) == program[2:]:
            return (signature, key)
    raise PsbtError(f"inputs[{at}].PSBT_IN_PARTIAL_SIG", "missing", "one by the output's key")
