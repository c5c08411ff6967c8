"""The hash functions of Bitcoin."""

import hashlib
from functools import lru_cache

import wallycore

HASH160_BYTES = 20
HASH_BYTES = 32

_TAGS_KEPT = 256


def sha256(data: bytes) -> bytes:
    """SHA-256: 32 bytes."""
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA-256 of SHA-256: 32 bytes, as in transaction and block ids."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160: 20 bytes.

    From libwally, since hashlib's is missing where OpenSSL 3 loads no legacy provider.
    """
    return bytes(wallycore.ripemd160(data))


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: 20 bytes, as in addresses and key fingerprints."""
    return bytes(wallycore.hash160(data))


def tagged_hash(tag: bytes | str, data: bytes) -> bytes:
    """SHA-256 under a tag (BIP340, Design): 32 bytes. The tag's half of the work is kept."""
    state = _tag_state(tag).copy()
    state.update(data)
    return state.digest()


@lru_cache(maxsize=_TAGS_KEPT)
def _tag_state(tag: bytes | str) -> "hashlib._Hash":
    tag_hash = sha256(tag.encode() if isinstance(tag, str) else tag)
    return hashlib.sha256(tag_hash + tag_hash)
