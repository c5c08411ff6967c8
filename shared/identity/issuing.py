"""Issuing: roots, intermediates and leaves, at a `now` and with a serial number of the caller's.

Serial numbers come from `cryptography.x509.random_serial_number()` at the caller.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from shared.identity.errors import ExpiredError, MalformedError
from shared.identity.fingerprints import key_sha256
from shared.identity.keys import check_public_key
from shared.identity.names import described, subject
from shared.identity.profiles import (
    INTERMEDIATE_LIFETIME,
    INTERMEDIATE_PATH,
    LEAF_LIFETIME,
    ROOT_LIFETIME,
    ROOT_PATH,
    Subject,
    authority_certificate,
    leaf_certificate,
    validity,
)
from shared.identity.requests import LeafRequest, check_authority_request


@dataclass(frozen=True, slots=True)
class Issuer:
    """A key that signs, its certificate, and what holders show besides (cross certificates)."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    cross: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        certified = check_public_key(self.certificate.public_key())
        if key_sha256(certified) != key_sha256(self.key.public_key()):
            raise MalformedError("issuer.key", "not the certificate's", "the key it certifies")

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What a holder presents after its own certificate."""
        return (self.certificate, *self.cross)

    def signer(self, now: datetime) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
        """Name and key; `ExpiredError` when its own certificate is over."""
        ended = self.certificate.not_valid_after_utc
        if now >= ended:
            raise ExpiredError(described(self.certificate.subject), ended, now)
        return self.certificate.subject, self.key


def make_root(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    now: datetime,
    serial: int,
    lifetime: timedelta = ROOT_LIFETIME,
) -> x509.Certificate:
    """A self-signed root."""
    who = Subject(subject(name), key.public_key(), serial)
    return authority_certificate(who, (who.name, key), validity(now, lifetime), ROOT_PATH)


def issue_intermediate(
    root: Issuer,
    request: x509.CertificateSigningRequest,
    now: datetime,
    serial: int,
    lifetime: timedelta = INTERMEDIATE_LIFETIME,
) -> x509.Certificate:
    """An intermediate's certificate from its request; it ends with the root at the latest."""
    name, key = check_authority_request(request)
    who = Subject(subject(name), key, serial)
    when = validity(now, lifetime).within(root.certificate)
    return authority_certificate(who, root.signer(now), when, INTERMEDIATE_PATH)


def issue_leaf(
    issuer: Issuer,
    request: LeafRequest,
    now: datetime,
    serial: int,
    lifetime: timedelta = LEAF_LIFETIME,
) -> x509.Certificate:
    """A leaf from a checked request; it ends with its issuer at the latest."""
    who = Subject(subject(request.node), request.key, serial)
    when = validity(now, lifetime).within(issuer.certificate)
    return leaf_certificate(
        who, issuer.signer(now), when, request.purpose, request.alternative_names
    )
