"""The page's session: a sealed expiry in a cookie, worth nothing without the token's key.

Stateless, so that every replica with the same token file accepts it and a new token ends them all.
"""

import hmac
import secrets
from hashlib import sha256

from controller.access.tokens import BearerToken

COOKIE = "bes_session"
LIFETIME_S = 12 * 3_600
_MAX_COOKIE = 200


def seal(token: BearerToken, now_s: int) -> str:
    """A cookie value that is good until `now_s + LIFETIME_S` (real seconds since the epoch)."""
    body = f"{now_s + LIFETIME_S}.{secrets.token_urlsafe(16)}"
    return f"{body}.{_mac(token, body)}"


def is_good(token: BearerToken, cookie: str, now_s: int) -> bool:
    """Whether the cookie was sealed with this token and has not run out."""
    body, _, mac = cookie.rpartition(".")
    if len(cookie) > _MAX_COOKIE or not hmac.compare_digest(
        _mac(token, body).encode(), mac.encode("utf-8", "surrogateescape")
    ):
        return False
    expires_s = body.partition(".")[0]
    return expires_s.isdecimal() and now_s < int(expires_s)


def _mac(token: BearerToken, body: str) -> str:
    key = sha256(b"bes session\x00" + token.secret).digest()
    return hmac.digest(key, body.encode("utf-8", "surrogateescape"), "sha256").hex()
