"""What a host and the controller must agree on to enrol: the token's text, and bounds.

A token's text is `NODE.SECRET`: the name tells the host who it is to be and is no secret, SECRET is
128 random bits in base32 (RFC 4648 section 6, lower case, no padding). The controller keeps only
the SHA-256 of those bits.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from shared.errors import BadInputError
from shared.messages.topics import check_node_name

SECRET_BYTES = 16
MAX_TOKEN_TEXT = 100
MAX_BODY_BYTES = 32 * 1024
MAX_PEM_CHARACTERS = 16 * 1024
CLOCK_TOLERANCE_MS = 5 * 60_000
"""How far a host's clock may be from the controller's when it joins."""

_SECRET_CHARACTERS = 26


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """A token: for whom, and the secret, which shows itself in `text` only."""

    node: str
    secret: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """As it is handed to the host."""
        return f"{self.node}.{base64.b32encode(self.secret).decode().rstrip('=').lower()}"

    @property
    def sha256(self) -> bytes:
        """What the controller keeps of it."""
        return hashlib.sha256(self.secret).digest()


def parse_token(text: str) -> EnrolmentToken:
    """Reads a token's text; `BadInputError` (which does not repeat it) when it is none."""
    node, dot, secret = text.strip().partition(".")
    allowed = "NODE.SECRET as `bes node new` printed it"
    if not dot or len(secret) != _SECRET_CHARACTERS or len(text) > MAX_TOKEN_TEXT:
        raise BadInputError("token", "not an enrolment token", allowed)
    try:
        bits = base64.b32decode(f"{secret.upper()}======")
        check_node_name(node)
    except (binascii.Error, ValueError) as error:
        raise BadInputError("token", "not an enrolment token", allowed) from error
    token = EnrolmentToken(node, bits)
    if token.text != text.strip():
        raise BadInputError("token", "not an enrolment token", allowed)
    return token
