"""Approvers' public keys, how they are told apart, and the proof that someone holds one."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.approvals import fields as check
from shared.approvals.cose import read_cose_key
from shared.errors import BadInputError
from shared.messages import cbor

KEY_ID_BYTES = 16
ED25519_KEY_BYTES = 32
ED25519_SIGNATURE_BYTES = 64
_KEY_ID_DOMAIN = b"bes approvals: key id v1\x00"
_REGISTRATION_DOMAIN = b"bes approvals: key registration v1\x00"


class KeyKind(StrEnum):
    """What an approver signs with."""

    ED25519 = "ed25519"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """A public key of a named person: 32 raw bytes (Ed25519) or a COSE_Key (passkey).

    From `revoked_ms` on, nothing that it ever signed counts.
    """

    person: str
    kind: KeyKind
    public_key: bytes
    revoked_ms: int | None = None

    def __post_init__(self) -> None:
        check.name_text(self.person, "person")
        if self.kind is KeyKind.ED25519:
            ed25519_key(self.public_key)
        else:
            read_cose_key(self.public_key)

    @property
    def key_id(self) -> bytes:
        """See `key_id_of`."""
        return key_id_of(self.kind, self.public_key)

    def is_revoked(self, now_ms: int) -> bool:
        """Whether it counts no more."""
        return self.revoked_ms is not None and self.revoked_ms <= now_ms


def key_id_of(kind: KeyKind, public_key: bytes) -> bytes:
    """The first 16 bytes of SHA-256 over kind and key, in a domain of its own."""
    content = _KEY_ID_DOMAIN + cbor.encode([kind.value, public_key])
    return hashlib.sha256(content).digest()[:KEY_ID_BYTES]


def fingerprint(key_id: bytes) -> str:
    """A key id as people compare it: groups of four hexadecimal digits."""
    return key_id.hex(":", 2)


def ed25519_key(public_key: bytes) -> Ed25519PublicKey:
    """The key of 32 raw bytes; `BadInputError` when they are none."""
    check.exact_bytes(public_key, "public_key", ED25519_KEY_BYTES)
    try:
        return Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise BadInputError("public_key", str(error), "an Ed25519 public key") from error


def registration_statement(person: str, public_key: bytes) -> bytes:
    """What an Ed25519 key signs so that it may be registered for a person."""
    return _REGISTRATION_DOMAIN + cbor.encode({"person": person, "public_key": public_key})


def prove_possession(person: str, public_key: bytes, proof: bytes) -> None:
    """`BadInputError` unless `proof` is the key's signature over its registration."""
    key = ed25519_key(public_key)
    try:
        key.verify(proof, registration_statement(person, public_key))
    except InvalidSignature as error:
        raise BadInputError(
            "proof", "not made by this key for this person", "the key's own signature"
        ) from error
