"""Random secrets that are shown once and kept as their SHA-256: sessions, tokens, codes.

A slow hash is not needed: 80 bits and more cannot be tried out.
"""

import hashlib
import secrets

TOKEN_PREFIX = "bes_"  # noqa: S105 - the same for every token
SHOWN_PREFIX = 12
"""Characters of a token that are kept readable, to tell one from another."""

_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE_LENGTH = 20


def new_session_secret() -> str:
    """256 random bits as text that fits a cookie."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """An API token: a prefix that scanners of leaked secrets can find, and 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_recovery_code() -> str:
    """98 random bits that a person can copy from paper: four groups of five."""
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH))
    return "-".join(letters[at : at + 5] for at in range(0, _CODE_LENGTH, 5))


def digest(secret: str) -> bytes:
    """What is kept of a secret, and looked up by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
