"""The bearer token: read from a file once, compared in constant time."""

import hmac
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import BadInputError

MIN_LENGTH = 32
MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A secret that never shows itself in a repr or a log."""

    secret: bytes = field(repr=False)

    def matches(self, offered: str) -> bool:
        """Whether the offered text is the token, in time that does not tell how much of it."""
        return hmac.compare_digest(self.secret, offered.encode("utf-8", "surrogateescape"))


def load_token(path: Path) -> BearerToken:
    """Reads a token file; `BadInputError` when it is missing, too short, too long or not text."""
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_LENGTH + 2).strip()
    except OSError as error:
        raise BadInputError("http.token_file", str(error), "a readable file") from error
    if not MIN_LENGTH <= len(secret) <= MAX_LENGTH or not secret.isascii():
        allowed = f"{MIN_LENGTH} to {MAX_LENGTH} ASCII characters"
        raise BadInputError("http.token_file", f"a token of {len(secret)} bytes", allowed)
    return BearerToken(secret)
