"""What may follow a key's type: nothing, a public key, a hash, a control block."""

from collections.abc import Callable
from typing import Final

from coincurve import PublicKey

from shared.bitcoin.hashes import hash160, ripemd160, sha256, sha256d
from shared.bitcoin.keys import check_x_only
from shared.bitcoin.psbt.values import refuse
from shared.bitcoin.taproot import MAX_DEPTH

KeyCheck = Callable[[bytes, bytes], None]
"""(key data, value) → nothing, or the refusal."""

COMPRESSED: Final = 33


def nothing(data: bytes, value: bytes) -> None:
    """The key is its type alone."""
    del value
    if data:
        raise refuse(f"{len(data)} bytes of key data", "a key of the type alone")


def public_key(data: bytes, value: bytes) -> None:
    """A point of the curve, compressed or not."""
    del value
    if len(data) not in (COMPRESSED, 65):
        raise refuse(f"a key of {len(data)} bytes", "a public key of 33 or 65 bytes")
    _point(data)


def compressed_key(data: bytes, value: bytes) -> None:
    """A point of the curve, compressed."""
    del value
    if len(data) != COMPRESSED:
        raise refuse(f"a key of {len(data)} bytes", "a public key of 33 bytes")
    _point(data)


def x_only_key(data: bytes, value: bytes) -> None:
    """A BIP340 public key."""
    del value
    if len(data) != 32:
        raise refuse(f"a key of {len(data)} bytes", "an x-only public key of 32 bytes")
    check_x_only("key", data)


def x_only_key_and_leaf(data: bytes, value: bytes) -> None:
    """A BIP340 public key and the hash of the leaf it signs in."""
    del value
    if len(data) != 64:
        raise refuse(f"{len(data)} bytes", "an x-only key and a leaf hash, 64 bytes")
    check_x_only("key", data[:32])


def participant(data: bytes, value: bytes) -> None:
    """BIP373: participant, aggregate and, in a script, the leaf's hash."""
    del value
    if len(data) not in (66, 98):
        raise refuse(
            f"{len(data)} bytes", "two public keys and perhaps a leaf hash, 66 or 98 bytes"
        )
    _point(data[:33])
    _point(data[33:66])


def control_block(data: bytes, value: bytes) -> None:
    """BIP341: leaf version and parity, internal key, up to 128 hashes; of the value's version."""
    size = len(data) - 33
    if size < 0 or size % 32 or size > 32 * MAX_DEPTH:
        raise refuse(f"a control block of {len(data)} bytes", "33 + 32·m bytes, m up to 128")
    check_x_only("key", data[1:33])
    if value and value[-1] != data[0] & 0xFE:
        raise refuse(
            f"leaf version 0x{value[-1]:02x}", f"0x{data[0] & 0xFE:02x}, the control block's"
        )


def extended_key(data: bytes, value: bytes) -> None:
    """BIP32: 78 bytes, of a public key, as deep as the value's path is long."""
    if len(data) != 78 or data[45] not in (2, 3):
        raise refuse(f"{len(data)} bytes", "an extended public key of 78 bytes")
    _point(data[45:])
    if data[4] != len(value) // 4 - 1:
        raise refuse(f"a path of {len(value) // 4 - 1} steps", f"{data[4]} steps, the key's depth")


def preimage_of(digest: Callable[[bytes], bytes], size: int) -> KeyCheck:
    """The hash of the value."""

    def check(data: bytes, value: bytes) -> None:
        if len(data) != size:
            raise refuse(f"a hash of {len(data)} bytes", f"{size} bytes")
        if digest(value) != data:
            raise refuse("another hash's preimage", "the preimage of the key")

    return check


RIPEMD160: Final = preimage_of(ripemd160, 20)
SHA256: Final = preimage_of(sha256, 32)
HASH160: Final = preimage_of(hash160, 20)
HASH256: Final = preimage_of(sha256d, 32)


def _point(key: bytes) -> None:
    if (len(key) == COMPRESSED) != (key[0] in (2, 3)) or key[0] not in (2, 3, 4):
        raise refuse(f"prefix 0x{key[0]:02x}", "0x02 or 0x03 (33 bytes), 0x04 (65 bytes)")
    try:
        PublicKey(key)
    except ValueError:
        raise refuse("not a point", "a public key on the curve") from None
