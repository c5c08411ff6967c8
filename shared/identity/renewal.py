"""When a certificate is renewed, and how the holder of an expired one proves its key.

At two thirds of its life a holder asks for the next. After its end it may still do so for 90 days
unless revoked, over a connection that cannot authenticate it (TLS refuses what has expired), so it
signs a challenge of the controller's with its old key. The challenge carries the controller's time,
so that a host whose clock is wrong can prove its key, and a proof is worth nothing five minutes on.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from shared.identity.errors import MalformedError, ProofError
from shared.identity.keys import check_public_key, digest_for
from shared.time import from_ms

LATE_RENEWAL = timedelta(days=90)
CHALLENGE_LIFETIME = timedelta(minutes=5)
MIN_NONCE, MAX_NONCE = 16, 64
MAX_PROOF = 160
_DOMAIN = b"bes identity renewal v1\x00"


def renew_at(certificate: x509.Certificate) -> datetime:
    """When two thirds of its life are over."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins + (ends - begins) * 2 / 3


def renewal_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether its holder should ask for the next one."""
    return now >= renew_at(certificate)


def has_expired(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether its time is over; its last second is within it (RFC 5280 section 4.1.2.5)."""
    return now.replace(microsecond=0) > certificate.not_valid_after_utc


def may_renew_expired(certificate: x509.Certificate, now: datetime, *, revoked: bool) -> bool:
    """Whether an expired certificate may still renew itself: unrevoked, at most 90 days late."""
    in_time = now < certificate.not_valid_after_utc + LATE_RENEWAL
    return not revoked and has_expired(certificate, now) and in_time


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the controller asks to have signed: its own random nonce and time."""

    nonce: bytes
    issued_ms: int

    def __post_init__(self) -> None:
        if not MIN_NONCE <= len(self.nonce) <= MAX_NONCE:
            allowed = f"{MIN_NONCE} to {MAX_NONCE} bytes"
            raise MalformedError("challenge.nonce", f"{len(self.nonce)} bytes", allowed)
        if not 0 <= self.issued_ms < 1 << 63:
            raise MalformedError("challenge.issued_ms", "out of range", "ms since the epoch")


def proof_message(
    certificate: x509.Certificate,
    request: x509.CertificateSigningRequest,
    challenge: Challenge,
) -> bytes:
    """What is signed: bound to the old certificate, the request for the new one and the challenge.

    Domain, then SHA-256 of each DER, the time as 8 bytes, the nonce last; so nothing can be moved
    from one field to the next.
    """
    return b"".join(
        (
            _DOMAIN,
            hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
            hashlib.sha256(request.public_bytes(Encoding.DER)).digest(),
            challenge.issued_ms.to_bytes(8, "big"),
            challenge.nonce,
        )
    )


def prove_key(
    old_key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    request: x509.CertificateSigningRequest,
    challenge: Challenge,
) -> bytes:
    """The holder's signature (ECDSA, DER) by the key of the certificate to be renewed."""
    message = proof_message(certificate, request, challenge)
    return old_key.sign(message, ec.ECDSA(digest_for(old_key)))


def check_key_proof(
    proof: bytes,
    certificate: x509.Certificate,
    request: x509.CertificateSigningRequest,
    challenge: Challenge,
    now: datetime,
) -> None:
    """`ProofError` unless the certificate's key signed this request for this challenge in time.

    That a challenge is answered once is the caller's to see to.
    """
    issued = from_ms(challenge.issued_ms)
    if not issued <= now < issued + CHALLENGE_LIFETIME:
        raise ProofError("the challenge is not of the last five minutes: ask for a new one")
    if len(proof) > MAX_PROOF:
        raise ProofError(f"a proof of {len(proof)} bytes, at most {MAX_PROOF}")
    key = check_public_key(certificate.public_key())
    message = proof_message(certificate, request, challenge)
    try:
        key.verify(proof, message, ec.ECDSA(digest_for(key)))
    except InvalidSignature as error:
        raise ProofError("the proof is not by the certificate's key") from error
