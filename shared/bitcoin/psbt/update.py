"""The Updater: what is known of inputs and outputs, added in its place and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from shared.bitcoin.bip32 import KeyOrigin
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.musig2 import KeyAggregate
from shared.bitcoin.psbt.model import Psbt, PsbtInput, PsbtOutput, TapOrigin, TreeLeaf
from shared.bitcoin.psbt.sighash_types import ecdsa_type, schnorr_type
from shared.bitcoin.psbt.spent import program_of, spent_output
from shared.bitcoin.psbt.taproot import check_input, check_output
from shared.bitcoin.psbt.values import check_tree
from shared.bitcoin.script import ScriptKind, classify, p2sh, p2wsh
from shared.bitcoin.taproot import Leaf
from shared.bitcoin.transaction import Transaction, TxOut

_Part = TypeVar("_Part", PsbtInput, PsbtOutput)


@dataclass(frozen=True, slots=True)
class InputDescription:
    """What a signer needs to know of an input; named as in `PsbtInput`, None and {} are unset."""

    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    sighash_type: int | None = None
    tap_leaf_scripts: Mapping[bytes, Leaf] = field(default_factory=dict)
    tap_derivations: Mapping[bytes, TapOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_merkle_root: bytes | None = None
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    sha256_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    hash160_preimages: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputDescription:
    """What a signer needs to know its own change by; names are those of `PsbtOutput`."""

    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_tree: tuple[TreeLeaf, ...] | None = None
    tap_derivations: Mapping[bytes, TapOrigin] = field(default_factory=dict)
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)


def set_spent(psbt: Psbt, at: int, utxo: TxOut | None, previous: Transaction | None) -> Psbt:
    """Say what input `at` spends: the output, the transaction that made it, or both.

    The transaction is needed for all but taproot; its txid is checked, and the output against it.
    Raises PsbtError.
    """
    changed = replace(
        _input(psbt, at),
        witness_utxo=utxo,
        previous_transaction=previous,
    )
    spent = spent_output(changed, at)
    if utxo is None and classify(spent.script_pubkey) not in (ScriptKind.P2PKH, ScriptKind.P2PK):
        changed = replace(changed, witness_utxo=spent)
    return _with_input(psbt, at, changed)


def describe_input(psbt: Psbt, at: int, known: InputDescription) -> Psbt:
    """Add what is known to an input whose spent output is set.

    Raises PsbtError for what the output does not commit to, for a sighash type other than ALL and
    DEFAULT, and for keys that do not aggregate to theirs.
    """
    changed = _merged(_input(psbt, at), known)
    program = program_of(changed, spent_output(changed, at), at)
    kind = classify(program)
    if kind is ScriptKind.P2TR:
        schnorr_type(changed, at)
        check_input(changed, program, at)
    else:
        ecdsa_type(changed, at)
    if kind is ScriptKind.P2WSH and changed.witness_script is not None:
        _check_script(f"inputs[{at}].PSBT_IN_WITNESS_SCRIPT", changed.witness_script, program)
    _check_participants(f"inputs[{at}].PSBT_IN", changed.musig_participants)
    return _with_input(psbt, at, changed)


def describe_output(psbt: Psbt, at: int, known: OutputDescription) -> Psbt:
    """Add what is known to an output. Raises PsbtError for what its script does not commit to."""
    if not 0 <= at < len(psbt.outputs):
        raise PsbtError(f"outputs[{at}]", "no such output", f"0 to {len(psbt.outputs) - 1}")
    changed = _merged(psbt.outputs[at], known)
    program = changed.script_pubkey
    if changed.redeem_script is not None:
        if p2sh(changed.redeem_script) != program:
            raise _another(f"outputs[{at}].PSBT_OUT_REDEEM_SCRIPT")
        program = changed.redeem_script
    if changed.witness_script is not None:
        _check_script(f"outputs[{at}].PSBT_OUT_WITNESS_SCRIPT", changed.witness_script, program)
    if changed.tap_tree is not None:
        check_tree(changed.tap_tree)
    check_output(changed, at)
    _check_participants(f"outputs[{at}].PSBT_OUT", changed.musig_participants)
    outputs = (*psbt.outputs[:at], changed, *psbt.outputs[at + 1 :])
    return replace(psbt, outputs=outputs)


def _merged(part: _Part, known: InputDescription | OutputDescription) -> _Part:
    changes: dict[str, Any] = {}
    for one in fields(known):
        value, held = getattr(known, one.name), getattr(part, one.name)
        if isinstance(value, Mapping):
            changes[one.name] = {**held, **value}
        elif value is not None:
            changes[one.name] = value
    return replace(part, **changes)


def _input(psbt: Psbt, at: int) -> PsbtInput:
    if not 0 <= at < len(psbt.inputs):
        raise PsbtError(f"inputs[{at}]", "no such input", f"0 to {len(psbt.inputs) - 1}")
    if psbt.inputs[at].is_final:
        raise PsbtError(f"inputs[{at}]", "final", "an input that is not final")
    return psbt.inputs[at]


def _with_input(psbt: Psbt, at: int, changed: PsbtInput) -> Psbt:
    return replace(psbt, inputs=(*psbt.inputs[:at], changed, *psbt.inputs[at + 1 :]))


def _check_script(place: str, witness_script: bytes, program: bytes) -> None:
    if p2wsh(witness_script) != program:
        raise _another(place)


def _check_participants(place: str, held: Mapping[bytes, tuple[bytes, ...]]) -> None:
    for aggregate, keys in held.items():
        if KeyAggregate(keys).plain != aggregate:
            field_name = f"{place}_MUSIG2_PARTICIPANT_PUBKEYS({aggregate.hex()})"
            raise PsbtError(field_name, "another aggregate", "the key its participants make")


def _another(place: str) -> PsbtError:
    return PsbtError(place, "another script", "the script the output commits to")
