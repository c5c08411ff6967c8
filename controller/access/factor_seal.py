"""TOTP secrets at rest: sealed with a key of a file where one is configured, else as they are.

A TOTP secret has to be read again to be compared, so it cannot be kept as a hash. Sealed, it is
AES-256-GCM under a key derived (HKDF-SHA256) from the file, with the account's id as associated
data: a copy of the database gives no codes, and one account's secret does not open for another.
Whoever reads the file too, or the memory of the controller, has the secrets.
"""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import BadInputError

_SEALED = "v1:"
"""No base32 secret has a colon."""
_NONCE_BYTES = 12
_KEY_BYTES = 32
_MIN_FILE, _MAX_FILE = 32, 4_096
_PURPOSE = b"bes totp secrets v1"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, repr=False)
class FactorSeal:
    """Seals and opens TOTP secrets; without a key, new ones are kept as they are."""

    key: bytes | None = None

    def __repr__(self) -> str:
        return f"FactorSeal(key={'none' if self.key is None else 'kept back'})"

    @classmethod
    def load(cls, path: Path) -> "FactorSeal":
        """With the key of a file of 32 to 4096 bytes; `BadInputError` for any other."""
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_FILE + 1)
        except OSError as error:
            raise BadInputError("access.factor_key_file", str(error), "a readable file") from error
        if not _MIN_FILE <= len(content) <= _MAX_FILE or len(set(content)) == 1:
            allowed = f"{_MIN_FILE} to {_MAX_FILE} random bytes"
            raise BadInputError("access.factor_key_file", f"{len(content)} bytes", allowed)
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        return cls(derived.derive(content))

    def seal(self, user_id: int, secret: str) -> str:
        """A secret as it is kept."""
        if self.key is None:
            return secret
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.key).encrypt(nonce, secret.encode("ascii"), _bound_to(user_id))
        return _SEALED + base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, user_id: int, kept: str) -> str | None:
        """The secret; None when this key does not open it, which is logged. One that was kept
        before there was a key is still read."""
        if not kept.startswith(_SEALED):
            return kept
        if self.key is None:
            _log.error("a second factor is sealed and no key is configured", user_id=user_id)
            return None
        try:
            content = base64.b64decode(kept.removeprefix(_SEALED), validate=True)
            nonce, sealed = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
            return AESGCM(self.key).decrypt(nonce, sealed, _bound_to(user_id)).decode("ascii")
        except (ValueError, InvalidTag):
            _log.error("a second factor does not open with the configured key", user_id=user_id)
            return None

    def is_sealed(self, kept: str) -> bool:
        """Whether nothing is left to be done: it is sealed, or there is no key to do it with."""
        return self.key is None or kept.startswith(_SEALED)


def _bound_to(user_id: int) -> bytes:
    return f"user:{user_id}".encode("ascii")
