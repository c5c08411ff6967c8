"""Whether a change that comes with a cookie comes from our own page.

Three barriers besides SameSite=Strict: the browser's own word (Sec-Fetch-Site), the Origin, and a
token bound to the session that another site cannot read (OWASP CSRF Prevention).
"""

import hmac
from dataclasses import dataclass

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "x-csrf-token"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a request says of where it comes from; None: does not say."""

    fetch_site: str | None
    origin: str | None


def foreign(claims: Claims, own_origin: str) -> str | None:
    """Why the request does not come from our own page; None when it does."""
    if claims.fetch_site is None and claims.origin is None:
        return "the request does not say where it comes from (Origin)"
    if claims.fetch_site is not None and claims.fetch_site != "same-origin":
        return "the request comes from another site"
    if claims.origin is not None and claims.origin != own_origin:
        return "the request comes from another origin"
    return None


def forged(claims: Claims, own_origin: str, offered: str | None, expected: str) -> str | None:
    """Why a change in a session is not taken; None when it is the page's own."""
    reason = foreign(claims, own_origin)
    if reason is not None:
        return reason
    if offered is None:
        return f"a change in a session needs the header {HEADER}"
    same = hmac.compare_digest(offered.encode("utf-8", "surrogateescape"), expected.encode("utf-8"))
    return None if same else f"{HEADER} is not this session's"
