"""Certificates, requests and lists as PEM text (RFC 7468), bounded and with typed errors."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from shared.identity.errors import MalformedError

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises on reading."""

MAX_CERTIFICATES_PEM = 262_144
MAX_CERTIFICATES = 32
MAX_REQUEST_PEM = 16_384
MAX_LIST_PEM = 16 * 1024 * 1024


def certificates_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """One after the other: a chain, leaf first, or a bundle of roots."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def read_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """At least one and at most 32 certificates, in the order they stand."""
    _bound("certificate", pem, MAX_CERTIFICATES_PEM)
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except UNREADABLE as error:
        raise MalformedError("certificate", "unreadable", "X.509 certificates in PEM") from error
    if len(certificates) > MAX_CERTIFICATES:
        problem, allowed = f"{len(certificates)} of them", f"at most {MAX_CERTIFICATES}"
        raise MalformedError("certificate", problem, allowed)
    for certificate in certificates:
        check_readable(certificate)
    return tuple(certificates)


def check_readable(certificate: x509.Certificate) -> None:
    """`MalformedError` unless every part can be read: cryptography reads most only when asked."""
    try:
        for part in (certificate.subject, certificate.issuer, certificate.extensions):
            tuple(part)
        certificate.public_key()
    except UNREADABLE as error:
        raise MalformedError("certificate", "unreadable", "a readable certificate") from error


def read_certificate(pem: bytes) -> x509.Certificate:
    """Exactly one certificate."""
    certificates = read_certificates(pem)
    if len(certificates) != 1:
        raise MalformedError("certificate", f"{len(certificates)} of them", "exactly one")
    return certificates[0]


def read_request(pem: bytes) -> x509.CertificateSigningRequest:
    """A request that can be read; `shared.identity.requests.check_request` judges it."""
    _bound("request", pem, MAX_REQUEST_PEM)
    try:
        return _read_whole(x509.load_pem_x509_csr(pem))
    except UNREADABLE as error:
        raise MalformedError("request", "unreadable", "a PKCS #10 request in PEM") from error


def read_request_der(der: bytes) -> x509.CertificateSigningRequest:
    """As `read_request`, from DER."""
    _bound("request", der, MAX_REQUEST_PEM)
    try:
        return _read_whole(x509.load_der_x509_csr(der))
    except UNREADABLE as error:
        raise MalformedError("request", "unreadable", "a PKCS #10 request in DER") from error


def read_list(pem: bytes) -> x509.CertificateRevocationList:
    """A revocation list that can be read; its signature is checked where it is used."""
    _bound("revocation list", pem, MAX_LIST_PEM)
    try:
        crl = x509.load_pem_x509_crl(pem)
        for part in (crl.issuer, crl.extensions):
            tuple(part)
    except UNREADABLE as error:
        raise MalformedError("revocation list", "unreadable", "an X.509 CRL in PEM") from error
    return crl


def _read_whole(
    request: x509.CertificateSigningRequest,
) -> x509.CertificateSigningRequest:
    for part in (request.subject, request.extensions, request.attributes):
        tuple(part)
    request.public_key()
    return request


def _bound(field: str, pem: bytes, limit: int) -> None:
    if len(pem) > limit:
        raise MalformedError(field, f"{len(pem)} bytes", f"at most {limit} bytes")
