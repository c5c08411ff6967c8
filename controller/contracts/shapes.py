"""The size of a spend before anyone has signed it."""

from dataclasses import replace
from typing import Final

from controller.chain.mempool.sigops import count
from controller.contracts.errors import TermsError
from controller.contracts.meter import SIGOP_WEIGHT, Shape
from controller.contracts.paths import ContractPath, Option
from shared.bitcoin.descriptors import DerivedOutput, DerivedScript, Form, Offered, Spend
from shared.bitcoin.wire import varint

_INPUT_BASE_WEIGHT: Final = 4 * (36 + 1 + 4)  # outpoint, empty script, sequence
_ECDSA_BYTES: Final = 72  # DER with low S, and the sighash type
_SCHNORR_BYTES: Final = 64  # SIGHASH_DEFAULT
_ANY_SIGNATURE: Final = {Form.WSH: bytes(_ECDSA_BYTES), Form.TR: bytes(_SCHNORR_BYTES)}


def shape_of(path: ContractPath, option: Option, output: DerivedOutput) -> Shape:
    """The most that an input needs; found by satisfying the script with signatures of zeros.

    TermsError where nothing satisfies it: then the path is none. A path that shows a secret is
    bounded by its script instead, since no secret but the right one satisfies it.
    """
    signatures = sum(required for required, _ in option.key_groups)
    part = script_of(option, output)
    if path.hashes:
        return _bounded(option, part, signatures)
    spend = output.satisfaction(_offered(path, option, output, part))
    if spend is None:
        raise TermsError(path.name, "nothing satisfies it", "a path with a witness")
    return _measured(spend, part, signatures, output.form)


def script_of(option: Option, output: DerivedOutput) -> DerivedScript | None:
    """The script that the option runs, None for the key path."""
    if option.spending.leaf is not None:
        return output.scripts[option.spending.leaf]
    return output.scripts[0] if output.form is Form.WSH else None


def _offered(
    path: ContractPath, option: Option, output: DerivedOutput, part: DerivedScript | None
) -> Offered:
    signature = _ANY_SIGNATURE[output.form]
    locked = Offered(sequence=path.sequence, lock_time=path.after)
    if part is None:
        return replace(locked, key_signature=signature)
    chosen = [part.keys[key] for required, keys in option.key_groups for key in keys[:required]]
    if output.form is Form.WSH:
        return replace(locked, signatures=dict.fromkeys(chosen, signature))
    leaf_hash = part.leaf.hash
    return replace(
        locked, leaf_signatures=dict.fromkeys(((key, leaf_hash) for key in chosen), signature)
    )


def _measured(spend: Spend, part: DerivedScript | None, signatures: int, form: Form) -> Shape:
    witness = spend.witness
    size = len(varint(len(witness))) + sum(len(varint(len(one))) + len(one) for one in witness)
    behind = 0 if part is None else (1 if form is Form.WSH else 2)
    stack = witness[: len(witness) - behind]
    content = b"" if part is None else part.content
    is_leaf = part is not None and form is Form.TR
    return Shape(
        _INPUT_BASE_WEIGHT + size,
        len(stack),
        max(map(len, stack), default=0),
        len(content),
        count(content, accurate=True) if form is Form.WSH else 0,
        SIGOP_WEIGHT + size - SIGOP_WEIGHT * signatures if is_leaf else None,
    )


def _bounded(option: Option, part: DerivedScript | None, signatures: int) -> Shape:
    if part is None:
        raise TermsError("path", "a secret without a script", "a script")
    weight = option.spending.input_weight
    is_leaf = option.spending.leaf is not None
    return Shape(
        weight,
        part.conditions.miniscript.max_stack_elements or 0,
        _ECDSA_BYTES,
        len(part.content),
        0 if is_leaf else count(part.content, accurate=True),
        SIGOP_WEIGHT + weight - _INPUT_BASE_WEIGHT - SIGOP_WEIGHT * signatures if is_leaf else None,
    )
