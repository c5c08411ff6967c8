"""One codec for each shape of a PSBT value. Each refuses what its `encode` would not write.

What is refused raises a BitcoinError whose field is "value"; `codec` puts the map and key there.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared.bitcoin.amounts import MAX_MONEY_SAT
from shared.bitcoin.bip32 import KeyOrigin, KeyPath
from shared.bitcoin.errors import PsbtError
from shared.bitcoin.keys import check_public_key, check_x_only
from shared.bitcoin.psbt.model import LOCK_TIME_THRESHOLD, TapOrigin, TreeLeaf
from shared.bitcoin.sighash import SighashType
from shared.bitcoin.taproot import MAX_DEPTH, Leaf
from shared.bitcoin.transaction import Transaction, TxOut
from shared.bitcoin.wire import Reader, var_bytes, varint

_EXPLICIT_TYPES: Final = frozenset(SighashType) - {SighashType.DEFAULT}
_MAX_PATH: Final = 255
_MAX_STACK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Value:
    """How a value is read and written; what it holds is known to the model's attribute alone."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def refuse(problem: str, allowed: str) -> PsbtError:
    """The error of a value or key that is malformed."""
    return PsbtError("value", problem, allowed)


def _same(data: bytes) -> bytes:
    return data


def sized(*sizes: int) -> Value:
    """Bytes of one of these lengths."""

    def decode(data: bytes) -> bytes:
        if len(data) not in sizes:
            raise refuse(f"{len(data)} bytes", " or ".join(f"{size} bytes" for size in sizes))
        return data

    return Value(decode, _same)


def integer(form: str, low: int, high: int) -> Value:
    """A little-endian integer of struct's format, between two bounds."""
    packed = struct.Struct(form)

    def decode(data: bytes) -> int:
        if len(data) != packed.size:
            raise refuse(f"{len(data)} bytes", f"{packed.size} bytes, little-endian")
        value: int = packed.unpack(data)[0]
        if not low <= value <= high:
            raise refuse(str(value), f"{low} to {high}")
        return value

    return Value(decode, packed.pack)


def _decode_x_only(data: bytes) -> bytes:
    if len(data) != 32:
        raise refuse(f"{len(data)} bytes", "an x-only public key of 32 bytes")
    check_x_only("value", data)
    return data


def _decode_count(data: bytes) -> int:
    reader = Reader(data)
    count = reader.varint()
    reader.end()
    return count


def _decode_output(data: bytes) -> TxOut:
    reader = Reader(data)
    output = TxOut(reader.u64(), reader.var_bytes())
    reader.end()
    return output


def _decode_stack(data: bytes) -> tuple[bytes, ...]:
    reader = Reader(data)
    count = reader.count(1)
    if count > _MAX_STACK:
        raise refuse(f"{count} items", f"up to {_MAX_STACK} items")
    stack = tuple(reader.var_bytes() for _ in range(count))
    reader.end()
    return stack


def encode_stack(stack: tuple[bytes, ...]) -> bytes:
    """A witness stack as the network writes it."""
    return varint(len(stack)) + b"".join(map(var_bytes, stack))


def _decode_origin(data: bytes) -> KeyOrigin:
    if len(data) % 4 or not 4 <= len(data) <= 4 * (1 + _MAX_PATH):
        raise refuse(f"{len(data)} bytes", "a fingerprint of 4 bytes and 4 bytes for each step")
    steps = struct.unpack(f"<{len(data) // 4 - 1}I", data[4:])
    return KeyOrigin(data[:4], KeyPath(steps))


def _encode_origin(origin: KeyOrigin) -> bytes:
    steps = origin.path.indices
    return origin.fingerprint + struct.pack(f"<{len(steps)}I", *steps)


def _decode_tap_origin(data: bytes) -> TapOrigin:
    reader = Reader(data)
    hashes = tuple(reader.take(32) for _ in range(reader.count(32)))
    return TapOrigin(hashes, _decode_origin(reader.take(reader.remaining)))


def _encode_tap_origin(value: TapOrigin) -> bytes:
    hashes = value.leaf_hashes
    return varint(len(hashes)) + b"".join(hashes) + _encode_origin(value.origin)


def _decode_leaf(data: bytes) -> Leaf:
    if not data:
        raise refuse("empty", "a script and one byte of leaf version")
    return Leaf(data[:-1], data[-1])


def _encode_leaf(leaf: Leaf) -> bytes:
    return leaf.script + bytes([leaf.version])


def _decode_tree(data: bytes) -> tuple[TreeLeaf, ...]:
    reader = Reader(data)
    leaves: list[TreeLeaf] = []
    while reader.remaining:
        depth, version = reader.u8(), reader.u8()
        leaves.append(TreeLeaf(depth, version, reader.var_bytes()))
    check_tree(tuple(leaves))
    return tuple(leaves)


def check_tree(leaves: tuple[TreeLeaf, ...]) -> None:
    """BIP371: depth first, whole, no deeper than BIP341 allows. Raises PsbtError."""
    whole = "the leaves of one whole tree, depth first"
    filled: list[int] = []  # the depths of complete left branches, outermost first
    for leaf in leaves:
        if leaf.depth > MAX_DEPTH or leaf.version & 1:
            raise refuse(
                f"depth {leaf.depth}, leaf version 0x{leaf.version:02x}",
                f"depth up to {MAX_DEPTH} and an even leaf version",
            )
        depth = leaf.depth
        if filled and (filled[-1] > depth or filled == [0]):
            raise refuse("a leaf outside the tree", whole)
        while filled and filled[-1] == depth:
            filled.pop()
            depth -= 1
        filled.append(depth)
    if filled != [0]:
        raise refuse("an incomplete tree", whole)


def _encode_tree(leaves: tuple[TreeLeaf, ...]) -> bytes:
    return b"".join(bytes((leaf.depth, leaf.version)) + var_bytes(leaf.script) for leaf in leaves)


def _decode_keys(data: bytes) -> tuple[bytes, ...]:
    if not data or len(data) % 33:
        raise refuse(f"{len(data)} bytes", "33 bytes for each of one or more public keys")
    keys = tuple(data[at : at + 33] for at in range(0, len(data), 33))
    for key in keys:
        check_public_key("value", key)
    return keys


def _decode_schnorr(data: bytes) -> bytes:
    if len(data) not in (64, 65):
        raise refuse(f"{len(data)} bytes", "64 or 65 bytes")
    if len(data) == 65 and data[64] not in _EXPLICIT_TYPES:
        raise refuse(f"sighash type 0x{data[64]:02x}", "one of BIP341's, DEFAULT by 64 bytes")
    return data


def _decode_ecdsa(data: bytes) -> bytes:
    if not is_der(data[:-1]):
        raise refuse("not a DER signature", "a strict DER signature and one byte of sighash type")
    return data


def is_der(data: bytes) -> bool:
    """BIP66: the strict encoding of two positive integers, without the sighash byte."""
    if not 8 <= len(data) <= 72 or data[0] != 0x30 or data[1] != len(data) - 2:
        return False
    length_r = data[3]
    if 5 + length_r >= len(data):
        return False
    length_s = data[5 + length_r]
    return (
        length_r + length_s + 6 == len(data)
        and _is_der_integer(data[2 : 4 + length_r])
        and _is_der_integer(data[4 + length_r :])
    )


def _is_der_integer(data: bytes) -> bool:
    if data[0] != 0x02 or data[1] == 0 or data[2] & 0x80:
        return False
    return not (data[1] > 1 and data[2] == 0 and not data[3] & 0x80)


ANY: Final = Value(_same, _same)
TRANSACTION: Final = Value(Transaction.parse, Transaction.serialise)
UNSIGNED: Final = Value(Transaction.parse_without_witness, Transaction.serialise_without_witness)
OUTPUT: Final = Value(_decode_output, TxOut.serialise)
STACK: Final = Value(_decode_stack, encode_stack)
ORIGIN: Final = Value(_decode_origin, _encode_origin)
TAP_ORIGIN: Final = Value(_decode_tap_origin, _encode_tap_origin)
LEAF: Final = Value(_decode_leaf, _encode_leaf)
TREE: Final = Value(_decode_tree, _encode_tree)
KEYS: Final = Value(_decode_keys, b"".join)
ECDSA: Final = Value(_decode_ecdsa, _same)
X_ONLY: Final = Value(_decode_x_only, _same)
SCHNORR: Final = Value(_decode_schnorr, _same)
COUNT: Final = Value(_decode_count, varint)
U32: Final = integer("<I", 0, 0xFFFFFFFF)
BYTE: Final = integer("<B", 0, 255)
AMOUNT: Final = integer("<q", 0, MAX_MONEY_SAT)
HEIGHT: Final = integer("<I", 1, LOCK_TIME_THRESHOLD - 1)
TIME: Final = integer("<I", LOCK_TIME_THRESHOLD, 0xFFFFFFFF)
