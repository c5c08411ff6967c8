"""Signed messages (BIP322): a message is signed by spending an output that does not exist.

`to_spend` pays nothing to the address and commits to the message; `to_sign` spends it. A signature
is the witness of `to_sign` (*simple*, "smp"), all of it (*full*, "ful") or a final PSBT of it with
further inputs whose control it proves (*proof of funds*, "pof").

To sign, `draft` a PSBT, have it signed and finalised as any other, and encode it. To verify, give
`verify` an engine for scripts: key spends (P2WPKH, taproot's key path) are judged here, all else of
witness versions 0 and 1 by the `Verifier`, without which the verdict is inconclusive.

Of the BIP's required rules, those that the witness itself shows are checked here: SIGHASH_ALL,
strict DER, low S, no OP_CODESEPARATOR; scripts with a NOP reserved for upgrades are inconclusive.
NULLFAIL and MINIMALIF in P2WSH are not seen by an engine that knows consensus alone.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from shared.bitcoin.errors import BitcoinError
from shared.bitcoin.hashes import hash160, tagged_hash
from shared.bitcoin.keys import CURVE_ORDER, verify_ecdsa, verify_schnorr
from shared.bitcoin.psbt import Psbt, create, extract, parse, serialise, spent_outputs
from shared.bitcoin.psbt.update import set_spent
from shared.bitcoin.psbt.values import STACK, is_der
from shared.bitcoin.script import Op, ScriptKind, classify, push
from shared.bitcoin.script import parse as parse_script
from shared.bitcoin.sighash import SegwitV0Sighash, SighashType, TaprootSighash, key_hash_code
from shared.bitcoin.transaction import NULL_TXID, OutPoint, Transaction, TxIn, TxOut
from shared.bitcoin.wire import MAX_U32

MAX_SIGNATURE_CHARACTERS: Final = 1_000_000
MESSAGE_KEY: Final = b"\x09"
"""PSBT_GLOBAL_GENERIC_SIGNED_MESSAGE: shows a signer what it signs."""

_TAG: Final = "BIP0322-signed-message"
_OUTPUT: Final = TxOut(0, b"\x6a")
_VERSIONS: Final = (0, 2)
_UPGRADE_NOPS: Final = frozenset({0xB0, *range(0xB3, 0xBA)})
_PREFIX: Final = 3
_SCHNORR_SIZES: Final = (64, 65)


class MessageSignatureError(BitcoinError):
    """A text that is no signature of a message, or a PSBT that makes none."""


class State(Enum):
    """BIP322 "Verification": what a validator can say."""

    VALID = "valid"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and why; valid at `lock_time` and after an age of `sequence` only.

    `funds` are the outputs a proof of funds claims; whether they exist only a chain can say.
    """

    state: State
    reason: str
    lock_time: int = 0
    sequence: int = 0
    funds: tuple[tuple[OutPoint, TxOut], ...] = ()


class Verifier(Protocol):
    """An engine of Bitcoin's consensus rules."""

    def is_satisfied(self, transaction: Transaction, spent: tuple[TxOut, ...], at: int) -> bool:
        """Whether input `at` spends its output; `spent` are all inputs' outputs in order."""
        ...


def message_hash(message: bytes) -> bytes:
    """The tagged hash of a message, 32 bytes; text is UTF-8."""
    return tagged_hash(_TAG, message)


def to_spend(message: bytes, script_pubkey: bytes) -> Transaction:
    """The transaction whose output a signature spends; nobody can broadcast it."""
    script_sig = b"\x00" + push(message_hash(message))
    funding = TxIn(OutPoint(NULL_TXID, MAX_U32), script_sig, 0)
    return Transaction(0, (funding,), (TxOut(0, script_pubkey),))


def to_sign(message: bytes, script_pubkey: bytes) -> Transaction:
    """The transaction that is signed, as a simple signature has it: no lock time, sequence 0."""
    spending = TxIn(to_spend(message, script_pubkey).outpoint(0), b"", 0)
    return Transaction(0, (spending,), (_OUTPUT,))


def draft(message: bytes, script_pubkey: bytes, base: Transaction | None = None) -> Psbt:
    """A PSBT of `to_sign` to be described, signed and finalised; it carries the message.

    `base` is another to_sign, with lock time, sequence or the inputs of a proof of funds, whose
    spent outputs remain to be set.
    """
    spending = to_sign(message, script_pubkey) if base is None else base
    _check_shape(spending, message, script_pubkey)
    funding = to_spend(message, script_pubkey)
    psbt = set_spent(create(spending), 0, funding.outputs[0], funding)
    return replace(psbt, others={MESSAGE_KEY: message})


def encode_simple(psbt: Psbt) -> str:
    """The simple signature that a finalised `draft` is."""
    transaction = extract(psbt)
    only = transaction.inputs[0]
    plain = (transaction.version, transaction.lock_time, only.sequence, len(transaction.inputs))
    if plain != (0, 0, 0, 1) or only.script_sig:
        allowed = "a draft without lock time, sequence, scriptSig and further inputs"
        raise MessageSignatureError("psbt", "not simple", allowed)
    return "smp" + _text(STACK.encode(only.witness))


def encode_full(psbt: Psbt) -> str:
    """The full signature that a finalised draft with one input is."""
    transaction = extract(psbt)
    if len(transaction.inputs) != 1:
        raise MessageSignatureError("psbt", "further inputs", "one input, or a proof of funds")
    return "ful" + _text(transaction.serialise())


def encode_proof_of_funds(psbt: Psbt) -> str:
    """The proof of funds that a finalised draft with further inputs is."""
    extract(psbt)
    return "pof" + _text(serialise(psbt))


def verify(
    script_pubkey: bytes, message: bytes, signature: str, verifier: Verifier | None = None
) -> Verdict:
    """Judge a signature by an output script over a message.

    Raises MessageSignatureError for text that encodes no signature; all else is a verdict. A text
    without prefix is read as simple, as older signers wrote it.
    """
    transaction, claimed = _decoded(script_pubkey, message, signature)
    spent = (TxOut(0, script_pubkey), *claimed)
    try:
        _check_shape(transaction, message, script_pubkey)
    except MessageSignatureError as refused:
        return Verdict(State.INVALID, refused.problem)
    if len(spent) != len(transaction.inputs):
        return Verdict(State.INCONCLUSIVE, "further inputs whose outputs are unknown")
    if transaction.version not in _VERSIONS:
        return Verdict(State.INCONCLUSIVE, f"to_sign of version {transaction.version}")
    for at in range(len(spent)):
        verdict = _judged(transaction, spent, at, verifier)
        if verdict is not None:
            return verdict
    funds = tuple((one.outpoint, spent[at]) for at, one in enumerate(transaction.inputs))[1:]
    first = transaction.inputs[0]
    return Verdict(State.VALID, "satisfied", transaction.lock_time, first.sequence, funds)


def _decoded(
    script_pubkey: bytes, message: bytes, signature: str
) -> tuple[Transaction, tuple[TxOut, ...]]:
    """The signed to_sign, and what its further inputs are said to spend."""
    if not 4 <= len(signature) <= MAX_SIGNATURE_CHARACTERS:
        problem = f"{len(signature)} characters"
        raise MessageSignatureError("signature", problem, f"4 to {MAX_SIGNATURE_CHARACTERS}")
    prefix, rest = signature[:_PREFIX], signature[_PREFIX:]
    try:
        if prefix == "ful":
            return Transaction.parse(_bytes(rest)), ()
        if prefix == "pof":
            psbt = parse(_bytes(rest))
            return extract(psbt), spent_outputs(psbt)[1:]
        witness = STACK.decode(_bytes(rest if prefix == "smp" else signature))
    except MessageSignatureError:
        raise
    except BitcoinError as refused:
        allowed = "a witness (smp), transaction (ful) or final PSBT (pof)"
        raise MessageSignatureError("signature", refused.problem, allowed) from refused
    return to_sign(message, script_pubkey).with_witnesses([witness]), ()


def _check_shape(transaction: Transaction, message: bytes, script_pubkey: bytes) -> None:
    """BIP322 "Basic validation": spends to_spend first, has the one output."""
    funding = to_spend(message, script_pubkey).outpoint(0)
    if not transaction.inputs or transaction.inputs[0].outpoint != funding:
        problem = "another message's, or another address's"
        raise MessageSignatureError("to_sign", problem, "to_spend's output as first input")
    if transaction.outputs != (_OUTPUT,):
        raise MessageSignatureError("to_sign", "other outputs", "one output, 0 to OP_RETURN")


def _judged(
    transaction: Transaction, spent: tuple[TxOut, ...], at: int, verifier: Verifier | None
) -> Verdict | None:
    """What stands against one input; None for nothing."""
    kind = classify(spent[at].script_pubkey)
    one = transaction.inputs[at]
    witness = one.witness
    if kind not in (ScriptKind.P2WPKH, ScriptKind.P2WSH, ScriptKind.P2TR):
        return Verdict(State.INCONCLUSIVE, f"input {at} spends {kind.value}")
    if one.script_sig or not witness:
        return Verdict(State.INVALID, f"input {at} has a scriptSig or no witness")
    if kind is ScriptKind.P2WPKH:
        return _refused(_is_key_hash_spend(transaction, spent[at], at), at)
    if kind is ScriptKind.P2TR and len(witness) == 1:
        return _refused(_is_key_path_spend(transaction, spent, at), at)
    broken = _broken_rule(witness, is_tapscript=kind is ScriptKind.P2TR)
    if broken is not None:
        return Verdict(State.INVALID, f"input {at}: {broken}")
    script = witness[-2] if kind is ScriptKind.P2TR else witness[-1]
    if _UPGRADE_NOPS & set(_opcodes(script)):
        return Verdict(State.INCONCLUSIVE, f"input {at} runs a NOP reserved for upgrades")
    if verifier is None:
        return Verdict(State.INCONCLUSIVE, f"input {at} runs a script, and no engine is here")
    return _refused(verifier.is_satisfied(transaction, spent, at), at)


def _refused(holds: bool, at: int) -> Verdict | None:  # noqa: FBT001
    return None if holds else Verdict(State.INVALID, f"input {at} is not satisfied")


def _is_key_hash_spend(transaction: Transaction, spent: TxOut, at: int) -> bool:
    witness = transaction.inputs[at].witness
    if len(witness) != 2 or len(witness[1]) != 33:
        return False
    signature, key = witness
    program = spent.script_pubkey[2:]
    if hash160(key) != program or not _is_required_form(signature):
        return False
    digest = SegwitV0Sighash(transaction).digest(at, key_hash_code(program), spent.amount_sat)
    try:
        return verify_ecdsa(key, digest, signature[:-1])
    except BitcoinError:
        return False


def _is_key_path_spend(transaction: Transaction, spent: tuple[TxOut, ...], at: int) -> bool:
    (signature,) = transaction.inputs[at].witness
    if len(signature) not in _SCHNORR_SIZES or signature[64:] not in (b"", b"\x01"):
        return False
    sighash_type = SighashType.ALL if len(signature) == 65 else SighashType.DEFAULT
    digest = TaprootSighash(transaction, spent).digest(at, sighash_type)
    return verify_schnorr(spent[at].script_pubkey[2:], digest, signature[:64])


def _broken_rule(witness: tuple[bytes, ...], *, is_tapscript: bool) -> str | None:
    """Which of the required rules a script's witness visibly breaks."""
    if is_tapscript and witness[-1][:1] == b"\x50":
        return "an annex"
    script, elements = (witness[-2], witness[:-2]) if is_tapscript else (witness[-1], witness[:-1])
    if Op.CODESEPARATOR in set(_opcodes(script)):
        return "OP_CODESEPARATOR"
    for element in elements:
        if is_tapscript:
            if len(element) == 65 and element[-1] != SighashType.ALL:
                return "a signature that is not of type ALL"
        elif is_der(element[:-1]) and not _is_required_form(element):
            return "a signature that is not of type ALL with low S"
    return None


def _is_required_form(signature: bytes) -> bool:
    """SIGHASH_ALL, STRICTENC, LOW_S."""
    if signature[-1:] != b"\x01" or not is_der(signature[:-1]):
        return False
    length_r = signature[3]
    s = int.from_bytes(signature[6 + length_r : -1], "big")
    return s <= CURVE_ORDER // 2


def _opcodes(script: bytes) -> Iterator[int]:
    """The opcodes as far as they can be read; an engine refuses what cannot."""
    try:
        for opcode, _ in parse_script(script):
            yield int(opcode)
    except BitcoinError:
        return


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as refused:
        raise MessageSignatureError("signature", "not base64", "canonical base64") from refused
    if _text(data) != text:
        raise MessageSignatureError("signature", "not canonical", "canonical base64")
    return data
