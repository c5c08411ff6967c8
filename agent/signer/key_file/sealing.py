"""The format of a key file: a header, then what argon2id's key encrypts (RFC 9106, RFC 8439).

The header is 50 bytes, big endian: magic (8), memory in KiB (4), passes (4), lanes (2), salt (16),
nonce (12), length of what is encrypted (4). It is the associated data of ChaCha20-Poly1305, so that
a file with a byte changed does not open. Parameters are bounded before they cost anything.
"""

import struct
from dataclasses import dataclass
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from agent.signer.key_file.errors import KeyFileError, LockedKeyFileError, MalformedKeyFileError
from shared.secret import Secret

MAGIC: Final = b"BESKEYS1"
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
MOST_CONTENT_BYTES: Final = 65_536
PASSPHRASE_BYTES: Final = range(12, 1_025)

MEMORY_KIB: Final = range(19 * 1024, 1024 * 1024 + 1)
PASSES: Final = range(2, 17)
LANES: Final = range(1, 9)

_KEY_BYTES: Final = 32
_HEADER: Final = struct.Struct(">8sIIH16s12sI")
HEADER_BYTES: Final = _HEADER.size
MOST_FILE_BYTES: Final = HEADER_BYTES + MOST_CONTENT_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True)
class Cost:
    """What argon2id costs whoever guesses: RFC 9106's second recommendation unless told."""

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        for name, value, bounds in (
            ("memory_kib", self.memory_kib, MEMORY_KIB),
            ("passes", self.passes, PASSES),
            ("lanes", self.lanes, LANES),
        ):
            if value not in bounds:
                allowed = f"from {bounds.start} to {bounds.stop - 1}"
                raise MalformedKeyFileError(f"key file.{name}", str(value), allowed)


def seal(content: Secret, passphrase: Secret, salt: bytes, nonce: bytes, cost: Cost) -> bytes:
    """The file that holds the content; salt (16 bytes) and nonce (12) are fresh random ones.

    KeyFileError for a passphrase of fewer than 12 or more than 1,024 bytes and for a content that
    is empty or longer than 64 KiB.
    """
    for name, value, size in (("salt", salt, SALT_BYTES), ("nonce", nonce, NONCE_BYTES)):
        if len(value) != size:
            raise KeyFileError(name, f"{len(value)} bytes", f"{size} bytes")
    plain = content.reveal()
    if not 1 <= len(plain) <= MOST_CONTENT_BYTES:
        raise KeyFileError("content", f"{len(plain)} bytes", f"1 to {MOST_CONTENT_BYTES}")
    length = len(plain) + TAG_BYTES
    header = _HEADER.pack(MAGIC, cost.memory_kib, cost.passes, cost.lanes, salt, nonce, length)
    return header + _cipher(passphrase, salt, cost).encrypt(nonce, plain, header)


def unseal(file: bytes, passphrase: Secret) -> Secret:
    """What `seal` was given.

    MalformedKeyFileError before anything is computed where the file is none or its parameters are
    out of bounds, LockedKeyFileError where the passphrase or the file is not what it was.
    """
    if len(file) < HEADER_BYTES or file[: len(MAGIC)] != MAGIC:
        raise MalformedKeyFileError("key file", "no header", f"a file that begins with {MAGIC!r}")
    header = file[:HEADER_BYTES]
    _, memory_kib, passes, lanes, salt, nonce, length = _HEADER.unpack(header)
    cost = Cost(memory_kib, passes, lanes)
    encrypted = file[HEADER_BYTES:]
    if len(encrypted) != length or not TAG_BYTES < length <= MOST_CONTENT_BYTES + TAG_BYTES:
        raise MalformedKeyFileError(
            "key file", f"{len(file)} bytes", "the length it was written in"
        )
    try:
        return Secret(_cipher(passphrase, salt, cost).decrypt(nonce, encrypted, header))
    except InvalidTag:
        raise LockedKeyFileError from None


def _cipher(passphrase: Secret, salt: bytes, cost: Cost) -> ChaCha20Poly1305:
    secret = passphrase.reveal()
    if len(secret) not in PASSPHRASE_BYTES:
        allowed = f"{PASSPHRASE_BYTES.start} to {PASSPHRASE_BYTES.stop - 1} bytes"
        raise KeyFileError("passphrase", "too short or too long", allowed)
    memory_kib = cost.memory_kib
    try:
        key = hash_secret_raw(
            secret, salt, cost.passes, memory_kib, cost.lanes, _KEY_BYTES, Type.ID
        )
    except HashingError as error:
        allowed = "less, or more memory free on this host"
        raise KeyFileError("key file.memory_kib", f"{memory_kib}: {error}", allowed) from error
    return ChaCha20Poly1305(key)
