"""When a certificate is renewed, and when to try again. Pure; real time throughout."""

from enum import StrEnum

_RENEW_AT = 2 / 3
_SPREAD_OF_LIFETIME = 1 / 20
_FIRST_RETRY_S = 30.0
_LONGEST_RETRY_S = 3_600.0
LONGEST_NAP_S = 600.0
"""The clock may be set while the task sleeps: it looks again at least this often."""


class Standing(StrEnum):
    """Where a certificate is in its life."""

    FRESH = "fresh"
    DUE = "due"
    EXPIRED = "expired"


def renewal_due_ms(not_before_ms: int, not_after_ms: int, spread: float) -> int:
    """When to renew: at two thirds of the lifetime, up to a twentieth earlier by `spread` in
    [0, 1), so that a fleet that was enrolled together does not come back together."""
    lifetime_ms = not_after_ms - not_before_ms
    return not_before_ms + round(lifetime_ms * (_RENEW_AT - _SPREAD_OF_LIFETIME * spread))


def standing(not_before_ms: int, not_after_ms: int, now_ms: int, spread: float) -> Standing:
    """Where the certificate stands now."""
    if now_ms >= not_after_ms:
        return Standing.EXPIRED
    due = now_ms >= renewal_due_ms(not_before_ms, not_after_ms, spread)
    return Standing.DUE if due else Standing.FRESH


def nap_s(due_ms: int, now_ms: int) -> float:
    """How long to sleep before looking again."""
    return min(LONGEST_NAP_S, max(0.0, (due_ms - now_ms) / 1_000))


def retry_after_s(failures: int, spread: float) -> float:
    """Doubles from 30 s to an hour with the failures in a row (from 1); `spread` in [0, 1) takes up
    to half of it away."""
    longest_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(failures - 1, 12))
    return longest_s * (1 - spread / 2)
