"""Passwords: rules by length, argon2id, and the same work for an account that does not exist."""

import threading
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import BadInputError

MIN_LENGTH = 12
MAX_LENGTH = 128

_HASHER = PasswordHasher(  # RFC 9106 section 4, second recommended option
    time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16, type=Type.ID
)
_TURNS = threading.BoundedSemaphore(2)  # 64 MiB each; who may wait: `controller.access.places`
_NOBODY = (  # of random bytes that were thrown away, made with the parameters above
    "$argon2id$v=19$m=65536,t=3,p=4$gHaBsn2p8dgcr9TQzfDgOw"
    "$Ga0dIon3cnXezzXM7TTG/JUYNGHQYNGnnGSys0ZrDOk"
)


def check_password(password: str, name: str) -> None:
    """`BadInputError` when the password is too short, too long or the account's own name.

    Length is what holds off guessing (NIST SP 800-63B section 3.1.1); no kinds of characters are
    asked for.
    """
    length = len(_normal(password))
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        allowed = f"{MIN_LENGTH} to {MAX_LENGTH} characters"
        raise BadInputError("password", f"{length} characters", allowed)
    if name and name.lower() in password.lower() and length < MIN_LENGTH + len(name):
        raise BadInputError("password", "little more than the account's name", "something else")


def hash_password(password: str) -> str:
    """The PHC string to keep."""
    with _TURNS:
        return _HASHER.hash(_normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether the password is the one; without one kept, the same work is done for nothing."""
    offered = _normal(password[: MAX_LENGTH * 4])
    with _TURNS:
        try:
            good = _HASHER.verify(kept if kept is not None else _NOBODY, offered)
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None and good


def needs_new_hash(kept: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogateescape")
