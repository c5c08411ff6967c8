"""Fingerprints: what a person compares and an enrol command carries.

Of a key (SHA-256 over its SubjectPublicKeyInfo, RFC 7469 section 2.4) rather than of a certificate,
so that a root signed anew for the same key keeps its pin. Text: `sha256:` and 64 hex digits.
"""

import hashlib
import hmac
import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.identity.errors import MalformedError

PREFIX = "sha256:"
_TEXT = re.compile(r"sha256:[0-9a-f]{64}")
_GROUP = 4


def key_sha256(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 over the key's SubjectPublicKeyInfo, 32 bytes."""
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def certificate_sha256(certificate: x509.Certificate) -> bytes:
    """SHA-256 over the certificate's DER, 32 bytes.

    Of the bytes, not of what they say: anybody can turn an ECDSA signature into another valid one,
    so what is to be recognised (revoked, renewed) goes by issuer and serial number or by key.
    """
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def key_fingerprint(holder: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """The key's pin of a root, or the fingerprint of a host's request, as text."""
    spki = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PREFIX + hashlib.sha256(spki).hexdigest()


def parse_fingerprint(text: str) -> str:
    """The text form, whatever its case, groups and colons; `MalformedError` if it is none."""
    body = re.sub(r"[\s:-]", "", text.strip().lower().removeprefix(PREFIX)[:256])
    if _TEXT.fullmatch(PREFIX + body) is None:
        allowed = "sha256: and 64 hexadecimal digits"
        raise MalformedError("fingerprint", repr(text)[:100], allowed)
    return PREFIX + body


def grouped(fingerprint: str) -> str:
    """For the eye: the digits in groups of four, to be compared aloud."""
    digits = parse_fingerprint(fingerprint).removeprefix(PREFIX)
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def matches(holder: x509.Certificate | x509.CertificateSigningRequest, fingerprint: str) -> bool:
    """Whether a holder's key has this fingerprint."""
    return hmac.compare_digest(key_fingerprint(holder), parse_fingerprint(fingerprint))
