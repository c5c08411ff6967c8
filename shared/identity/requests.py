"""Certificate signing requests (PKCS #10, RFC 2986): made on the host, judged by the issuer."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import BadInputError
from shared.identity.errors import ChainError, MalformedError, RequestError
from shared.identity.keys import check_public_key, digest_for
from shared.identity.names import addresses_of, alternative_names, common_name, subject
from shared.identity.pem import UNREADABLE
from shared.identity.profiles import Purpose
from shared.messages.topics import check_node_name

_EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985 section 5.4.2
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class LeafRequest:
    """What an issuer may sign: made by `check_request`, or by a caller that holds the key."""

    node: str
    key: ec.EllipticCurvePublicKey
    purpose: Purpose = Purpose.CLIENT
    addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_node_name(self.node)
        check_public_key(self.key)
        if (self.purpose is Purpose.SERVER) != bool(self.addresses):
            raise RequestError("addresses", "do not fit the purpose", "for servers, and only those")

    @property
    def alternative_names(self) -> x509.SubjectAlternativeName | None:
        """The extension that a server's certificate carries."""
        return alternative_names(self.addresses) if self.addresses else None


def build_request(
    key: ec.EllipticCurvePrivateKey, node: str, addresses: tuple[str, ...] = ()
) -> x509.CertificateSigningRequest:
    """A request for a client's certificate or, with addresses, for a server's."""
    wanted = LeafRequest(
        node, key.public_key(), Purpose.SERVER if addresses else Purpose.CLIENT, addresses
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(node))
    names = wanted.alternative_names
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, digest_for(key))


def build_authority_request(
    key: ec.EllipticCurvePrivateKey, name: str
) -> x509.CertificateSigningRequest:
    """An intermediate's request to its root; what it may do is the root's decision."""
    check_public_key(key.public_key())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(name))
    return builder.sign(key, digest_for(key))


def check_request(
    request: x509.CertificateSigningRequest, node: str, addresses: tuple[str, ...] = ()
) -> LeafRequest:
    """What may be signed of a request that must be for `node`, with exactly these addresses.

    `RequestError` or `MalformedError` when its own signature is bad, its key is weak, its name is
    another, or it carries any extension or attribute beyond the addresses asked for.
    """
    key = _checked_key(request)
    if _name(request) != check_node_name(node):
        raise RequestError("request.subject", repr(_name(request))[:80], f"exactly CN={node}")
    asked = _asked_addresses(request)
    expected = addresses_of(alternative_names(addresses)) if addresses else frozenset()
    if asked != expected:
        allowed = ", ".join(sorted(expected)) or "none for a client"
        raise RequestError("request.addresses", ", ".join(sorted(asked))[:200] or "none", allowed)
    return LeafRequest(node, key, Purpose.SERVER if addresses else Purpose.CLIENT, addresses)


def check_authority_request(
    request: x509.CertificateSigningRequest,
) -> tuple[str, ec.EllipticCurvePublicKey]:
    """The name and key of an intermediate's request; refused as `check_request` refuses."""
    key = _checked_key(request)
    if _asked_addresses(request):
        raise RequestError("request.addresses", "present", "none for an authority")
    return _name(request), key


def _checked_key(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = check_public_key(request.public_key(), "request.key")
        if not isinstance(request.signature_hash_algorithm, _HASHES):
            raise RequestError("request.signature", "a weak hash", "SHA-256 or longer")
        signed = request.is_signature_valid
    except UNREADABLE as error:
        if isinstance(error, BadInputError):
            raise
        raise MalformedError("request.key", "unreadable", "an ECDSA key from P-256 up") from error
    if not signed:
        raise RequestError("request.signature", "not by its own key", "a signature by its key")
    return key


def _name(request: x509.CertificateSigningRequest) -> str:
    try:
        return common_name(request.subject)
    except ChainError as error:
        raise RequestError("request.subject", str(error), "exactly one common name") from error


def _asked_addresses(request: x509.CertificateSigningRequest) -> frozenset[str]:
    try:
        extensions = list(request.extensions)
        attributes = list(request.attributes)
    except UNREADABLE as error:
        raise MalformedError("request.extensions", "unreadable", "readable ones") from error
    if any(attribute.oid != _EXTENSION_REQUEST for attribute in attributes):
        raise RequestError("request.attributes", "beyond extensions", "an extension request only")
    found: frozenset[str] = frozenset()
    for extension in extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            allowed = "subject alternative names only"
            raise RequestError("request.extensions", extension.oid.dotted_string, allowed)
        found = addresses_of(extension.value)
    return found
