"""What a signature signs: witness version 0 (BIP143), taproot and tapscript (BIP341, BIP342).

One object a transaction hashes its parts once, so that signing n inputs costs O(n). Refused with
SighashError: sighash types without a meaning, taproot's SINGLE without an output of its own, an
annex, leaf versions other than tapscript's: what has no meaning yet is not signed.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, TypeAlias

from shared.bitcoin.amounts import check_amount_sat
from shared.bitcoin.errors import SighashError
from shared.bitcoin.hashes import sha256, sha256d, tagged_hash
from shared.bitcoin.script import p2pkh_of_hash
from shared.bitcoin.taproot import TAPSCRIPT_VERSION, Leaf, has_annex
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.bitcoin.wire import MAX_U32, var_bytes

Prevout: TypeAlias = TxOut
"""The output that an input spends."""

NO_CODE_SEPARATOR: Final = MAX_U32
"""The position where no OP_CODESEPARATOR was executed (BIP342)."""

_ANYONE_CAN_PAY: Final = 0x80
_OUTPUTS_MASK: Final = 3
_KEY_VERSION: Final = b"\x00"
_HASH_BYTES: Final = 32
_U32: Final = struct.Struct("<I")
_I64: Final = struct.Struct("<q")


class SighashType(IntEnum):
    """Which parts of the transaction a signature covers. DEFAULT is taproot's alone."""

    DEFAULT = 0x00
    ALL = 0x01
    NONE = 0x02
    SINGLE = 0x03
    ALL_ANYONE_CAN_PAY = 0x81
    NONE_ANYONE_CAN_PAY = 0x82
    SINGLE_ANYONE_CAN_PAY = 0x83

    @property
    def suffix(self) -> bytes:
        """What follows the signature in a witness: nothing for DEFAULT, else the type's byte."""
        return bytes((self,)) if self else b""


_TYPES: Final = frozenset(SighashType)


class SegwitV0Sighash:
    """The digests of one transaction's inputs that spend witness version 0 outputs (BIP143)."""

    __slots__ = ("_outputs_hash", "_prevouts_hash", "_sequences_hash", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        prevouts, sequences, outputs = _parts(transaction)
        self._prevouts_hash = sha256d(prevouts)
        self._sequences_hash = sha256d(sequences)
        self._outputs_hash = sha256d(outputs)

    def digest(
        self,
        index: int,
        script_code: bytes,
        amount_sat: int,
        sighash_type: int = SighashType.ALL,
    ) -> bytes:
        """The 32 bytes that a signature of input `index` signs.

        `script_code` is the witness script, from behind the last executed OP_CODESEPARATOR on where
        it has one; for a key hash it is `key_hash_code`. `amount_sat` is what the input spends.
        SINGLE where the transaction has no output `index` covers no output, as BIP143 says.
        """
        spender = _input(self._transaction, index)
        check_amount_sat("amount_sat", amount_sat)
        if sighash_type not in _TYPES or sighash_type == SighashType.DEFAULT:
            raise SighashError("sighash type", hex(sighash_type), "ALL, NONE, SINGLE, +0x80")
        covered = sighash_type & _OUTPUTS_MASK
        is_own_input_only = bool(sighash_type & _ANYONE_CAN_PAY)
        is_whole = covered == SighashType.ALL and not is_own_input_only
        if covered == SighashType.ALL:
            outputs_hash = self._outputs_hash
        elif covered == SighashType.SINGLE and index < len(self._transaction.outputs):
            outputs_hash = sha256d(self._transaction.outputs[index].serialise())
        else:
            outputs_hash = bytes(_HASH_BYTES)
        return sha256d(
            b"".join(
                (
                    _U32.pack(self._transaction.version),
                    bytes(_HASH_BYTES) if is_own_input_only else self._prevouts_hash,
                    self._sequences_hash if is_whole else bytes(_HASH_BYTES),
                    spender.outpoint.serialise(),
                    var_bytes(script_code),
                    _I64.pack(amount_sat),
                    _U32.pack(spender.sequence),
                    outputs_hash,
                    _U32.pack(self._transaction.lock_time),
                    _U32.pack(sighash_type),
                )
            )
        )


def key_hash_code(key_hash: bytes) -> bytes:
    """The script code of an output that pays to a public key's hash (BIP143, scriptCode)."""
    return p2pkh_of_hash(key_hash)


class TaprootSighash:
    """The digests of one transaction's inputs that spend taproot outputs (BIP341, BIP342).

    `prevouts` are what all its inputs spend, in order: amounts and scripts are signed with them.
    """

    __slots__ = ("_head", "_outputs_hash", "_prevouts", "_shared", "_transaction")

    def __init__(self, transaction: Transaction, prevouts: Sequence[Prevout]) -> None:
        if len(prevouts) != len(transaction.inputs):
            raise SighashError(
                "prevouts", str(len(prevouts)), f"{len(transaction.inputs)}, one an input"
            )
        self._transaction = transaction
        self._prevouts = tuple(prevouts)
        outpoints, sequences, outputs = _parts(transaction)
        self._shared = b"".join(
            (
                sha256(outpoints),
                sha256(b"".join([_I64.pack(one.amount_sat) for one in prevouts])),
                sha256(b"".join([var_bytes(one.script_pubkey) for one in prevouts])),
                sha256(sequences),
            )
        )
        self._outputs_hash = sha256(outputs)
        self._head = _U32.pack(transaction.version) + _U32.pack(transaction.lock_time)

    def digest(
        self,
        index: int,
        sighash_type: int = SighashType.DEFAULT,
        leaf_hash: bytes | None = None,
        code_separator: int = NO_CODE_SEPARATOR,
    ) -> bytes:
        """The 32 bytes that a signature of input `index` signs.

        Without `leaf_hash` the key path's; with it a tapscript's, for which `code_separator` is the
        opcode position of the last executed OP_CODESEPARATOR. `leaf_digest` checks the leaf's
        version as well. Refused where the input's witness carries an annex.
        """
        if sighash_type not in _TYPES:
            raise SighashError("sighash type", hex(sighash_type), "DEFAULT, ALL, NONE, SINGLE")
        spender = _input(self._transaction, index)
        if has_annex(spender.witness):
            raise SighashError("annex", f"{len(spender.witness[-1])} bytes", "no annex")
        covered = sighash_type & _OUTPUTS_MASK
        is_own_input_only = bool(sighash_type & _ANYONE_CAN_PAY)
        spend_type = b"\x00" if leaf_hash is None else b"\x02"
        parts = [b"\x00", bytes((sighash_type,)), self._head]
        if not is_own_input_only:
            parts.append(self._shared)
        if covered <= SighashType.ALL:
            parts.append(self._outputs_hash)
        parts.append(spend_type)
        if is_own_input_only:
            parts += (
                spender.outpoint.serialise(),
                self._prevouts[index].serialise(),
                _U32.pack(spender.sequence),
            )
        else:
            parts.append(_U32.pack(index))
        if covered == SighashType.SINGLE:
            parts.append(sha256(_own_output(self._transaction, index)))
        if leaf_hash is not None:
            parts += (_leaf(leaf_hash), _KEY_VERSION, _U32.pack(_position(code_separator)))
        return tagged_hash("TapSighash", b"".join(parts))

    def leaf_digest(
        self,
        index: int,
        leaf: Leaf,
        sighash_type: int = SighashType.DEFAULT,
        code_separator: int = NO_CODE_SEPARATOR,
    ) -> bytes:
        """The digest for a spend through `leaf`, which is a tapscript's; others are refused."""
        if leaf.version != TAPSCRIPT_VERSION:
            raise SighashError("leaf version", hex(leaf.version), hex(TAPSCRIPT_VERSION))
        return self.digest(index, sighash_type, leaf.hash, code_separator)


def _parts(transaction: Transaction) -> tuple[bytes, bytes, bytes]:
    """All outpoints, all sequences and all outputs, each serialised one behind the other."""
    outpoints: list[bytes] = []
    sequences: list[bytes] = []
    for one in transaction.inputs:
        outpoints += (one.outpoint.txid, _U32.pack(one.outpoint.vout))
        sequences.append(_U32.pack(one.sequence))
    outputs = b"".join([one.serialise() for one in transaction.outputs])
    return b"".join(outpoints), b"".join(sequences), outputs


def _input(transaction: Transaction, index: int) -> TxIn:
    if not 0 <= index < len(transaction.inputs):
        raise SighashError("index", str(index), f"from 0 to {len(transaction.inputs) - 1}")
    return transaction.inputs[index]


def _own_output(transaction: Transaction, index: int) -> bytes:
    if index >= len(transaction.outputs):
        raise SighashError("sighash type", f"SINGLE without output {index}", "an output of its own")
    return transaction.outputs[index].serialise()


def _leaf(leaf_hash: bytes) -> bytes:
    if len(leaf_hash) != _HASH_BYTES:
        raise SighashError("leaf hash", f"{len(leaf_hash)} bytes", f"{_HASH_BYTES} bytes")
    return leaf_hash


def _position(code_separator: int) -> int:
    if not 0 <= code_separator <= NO_CODE_SEPARATOR:
        raise SighashError("code separator", str(code_separator), f"from 0 to {NO_CODE_SEPARATOR}")
    return code_separator
