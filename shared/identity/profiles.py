"""What the certificates of each kind look like (RFC 5280 section 4.2), and how long they last.

| kind | CA, path length | key usage | extended key usage | lasts |
| --- | --- | --- | --- | --- |
| root | yes, 2 | certificates, lists | - | 10 years |
| cross (new root under the old) | yes, 1 | certificates, lists | - | the overlap, 180 days |
| intermediate | yes, 0 | certificates, lists | client, server | 2 years |
| client | no | signature | client | 7 days |
| server | no | signature | server | 7 days |

The path lengths count the cross certificate: old root, new root under it, intermediate, leaf.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.identity.errors import MalformedError
from shared.identity.keys import check_public_key, digest_for

BACKDATED = timedelta(minutes=5)
"""So that a host whose clock is a little behind accepts what was just issued."""
LEAF_LIFETIME = timedelta(days=7)
INTERMEDIATE_LIFETIME = timedelta(days=730)
ROOT_LIFETIME = timedelta(days=3_652)
OVERLAP = timedelta(days=180)
"""How long an old root vouches for the new one; longer than a late renewal may take."""

ROOT_PATH = 2
CROSS_PATH = 1
INTERMEDIATE_PATH = 0
_MAX_SERIAL = 1 << 159


class Purpose(StrEnum):
    """What a leaf is for."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def oid(self) -> x509.ObjectIdentifier:
        """Its extended key usage."""
        if self is Purpose.CLIENT:
            return ExtendedKeyUsageOID.CLIENT_AUTH
        return ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate begins and ends, aware UTC."""

    begins: datetime
    ends: datetime

    def __post_init__(self) -> None:
        if self.begins.tzinfo is None or self.ends.tzinfo is None:
            raise MalformedError("validity", "a naive datetime", "aware datetimes")
        if self.begins >= self.ends:
            raise MalformedError("validity", "it ends before it begins", "an end after its start")

    def within(self, issuer: x509.Certificate) -> "Validity":
        """Cut to the issuer's own; `MalformedError` when they do not meet."""
        return Validity(
            max(self.begins, issuer.not_valid_before_utc),
            min(self.ends, issuer.not_valid_after_utc),
        )


def validity(now: datetime, lifetime: timedelta) -> Validity:
    """From five minutes before `now` for a lifetime, in whole seconds as X.509 has them."""
    if now.tzinfo is None:
        raise MalformedError("now", "a naive datetime", "an aware datetime")
    start = now.astimezone(UTC).replace(microsecond=0)
    return Validity(start - BACKDATED, start + lifetime)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose certificate it is: the name, the key, the serial number that the caller drew."""

    name: x509.Name
    key: ec.EllipticCurvePublicKey
    serial: int

    def __post_init__(self) -> None:
        check_public_key(self.key)
        if not 0 < self.serial < _MAX_SERIAL:
            raise MalformedError("serial", "out of range", "1 to 159 bits (RFC 5280)")


def authority_certificate(
    who: Subject, signer: tuple[x509.Name, ec.EllipticCurvePrivateKey], when: Validity, path: int
) -> x509.Certificate:
    """A certificate of an authority, signed by `signer` (name and key)."""
    builder = _start(who, signer, when)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    if path == INTERMEDIATE_PATH:
        both = x509.ExtendedKeyUsage([purpose.oid for purpose in Purpose])
        builder = builder.add_extension(both, critical=False)
    return builder.sign(signer[1], digest_for(signer[1]))


def leaf_certificate(
    who: Subject,
    signer: tuple[x509.Name, ec.EllipticCurvePrivateKey],
    when: Validity,
    purpose: Purpose,
    names: x509.SubjectAlternativeName | None,
) -> x509.Certificate:
    """A client's or server's certificate, signed by `signer` (name and key)."""
    builder = _start(who, signer, when)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose.oid]), critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer[1], digest_for(signer[1]))


def _start(
    who: Subject, signer: tuple[x509.Name, ec.EllipticCurvePrivateKey], when: Validity
) -> x509.CertificateBuilder:
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer[1].public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(who.name)
        .issuer_name(signer[0])
        .public_key(who.key)
        .serial_number(who.serial)
        .not_valid_before(when.begins)
        .not_valid_after(when.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(who.key), critical=False)
        .add_extension(issuer_key, critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
