"""Whether a certificate is renewed. Pure.

The asker has proven to hold the certificate's key before anything here is asked. A certificate that
was renewed is superseded and is not renewed again: two that ask with the same old key, for
different new ones, are two copies of it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.identity.renewal import LATE_RENEWAL

LATE_RENEWAL_MS = LATE_RENEWAL // timedelta(milliseconds=1)
"""How long after its end an unrevoked certificate may still renew itself."""


class CertificateState(StrEnum):
    """What a certificate counts for."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


class RenewalVerdict(StrEnum):
    """What is done for the node."""

    ISSUE = "issue"
    ISSUE_LATE = "issue, and leave an event"
    DELIVER_AGAIN = "deliver again"


class RenewalRefusal(StrEnum):
    """Why a certificate is not renewed."""

    UNKNOWN_CERTIFICATE = "unknown certificate"
    NOT_PROVEN = "the key was not proven"
    REVOKED = "revoked"
    RESERVED_NAME = "a name of the company's own programs"
    WRONG_NAME = "for another name"
    SAME_KEY = "the same key again"
    SUPERSEDED = "renewed before, for another key"
    TOO_LATE = "expired too long ago"


@dataclass(frozen=True, slots=True)
class Held:
    """The certificate in question; `successor_key_sha256` is that of the one it was renewed by."""

    state: CertificateState
    node: str
    key_sha256: bytes
    not_after_ms: int
    successor_key_sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Wish:
    """The name and the new key that are asked for."""

    node: str
    key_sha256: bytes


def judge_renewal(
    held: Held | None, wish: Wish, now_ms: int, *, proven: bool
) -> RenewalVerdict | RenewalRefusal:
    """What becomes of a wish; `held` is None where we never issued such a certificate."""
    if held is None:
        return RenewalRefusal.UNKNOWN_CERTIFICATE
    if not proven:
        return RenewalRefusal.NOT_PROVEN
    if held.state is CertificateState.REVOKED:
        return RenewalRefusal.REVOKED
    if wish.node != held.node:
        return RenewalRefusal.WRONG_NAME
    if wish.key_sha256 == held.key_sha256:
        return RenewalRefusal.SAME_KEY
    if held.state is CertificateState.SUPERSEDED:
        again = wish.key_sha256 == held.successor_key_sha256
        return RenewalVerdict.DELIVER_AGAIN if again else RenewalRefusal.SUPERSEDED
    if now_ms >= held.not_after_ms + LATE_RENEWAL_MS:
        return RenewalRefusal.TOO_LATE
    return RenewalVerdict.ISSUE_LATE if now_ms >= held.not_after_ms else RenewalVerdict.ISSUE
