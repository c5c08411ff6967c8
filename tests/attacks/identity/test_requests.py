"""Attacks with signing requests: refused with the field named, and nothing is issued."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID

from shared.errors import BadInputError
from shared.identity.errors import MalformedError, RequestError
from shared.identity.names import subject
from shared.identity.pem import MAX_REQUEST_PEM, read_request
from shared.identity.profiles import Purpose
from shared.identity.requests import build_request, check_authority_request, check_request
from tests.identities import ADDRESSES, NODE, SERVER, new_key

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def signed(
    key: Key, *extensions: x509.ExtensionType, name: x509.Name | None = None
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        subject(NODE) if name is None else name
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest)


def test_a_request_for_another_nodes_name_is_refused() -> None:
    with pytest.raises(RequestError, match=r"request.subject: 'site-b-01' .*CN=site-a-01"):
        check_request(build_request(new_key(), "site-b-01"), NODE)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=["rsa", "ed25519", "p-224", "secp256k1", "brainpool"],
)
def test_a_request_of_a_key_that_is_not_allowed_is_refused(key: Key) -> None:
    with pytest.raises(MalformedError, match=r"request.key: .*P-256, P-384 or P-521"):
        check_request(signed(key), NODE)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_request_of_an_allowed_key_is_not_refused(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    leaf = check_request(build_request(key, NODE), NODE)
    assert (leaf.node, leaf.purpose, leaf.key) == (NODE, Purpose.CLIENT, key.public_key())


def test_a_request_signed_by_another_key_is_refused() -> None:
    """Somebody else's public key under a request: the signature is not by it."""
    victim, thief = build_request(new_key(), NODE), build_request(new_key(), NODE)
    der, spki_length = victim.public_bytes(Encoding.DER), 65
    point, other = (public_point(request) for request in (victim, thief))
    assert len(point) == spki_length
    forged = x509.load_der_x509_csr(der.replace(point, other))
    assert forged.public_key() == thief.public_key()
    with pytest.raises(RequestError, match=r"request.signature: not by its own key"):
        check_request(forged, NODE)


def public_point(request: x509.CertificateSigningRequest) -> bytes:
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@pytest.mark.parametrize(
    "extension",
    [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([Purpose.SERVER.oid]),
        x509.SubjectKeyIdentifier(b"x" * 20),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"),
        x509.NameConstraints([x509.DNSName("example")], None),
    ],
    ids=lambda extension: type(extension).__name__,
)
def test_a_request_that_asks_for_more_than_it_may_is_refused(
    extension: x509.ExtensionType,
) -> None:
    key = new_key()
    with pytest.raises(RequestError, match=r"request.extensions"):
        check_request(signed(key, extension), NODE)
    with pytest.raises(RequestError, match=r"request.extensions"):
        check_authority_request(signed(key, extension))


def test_a_nodes_request_that_slips_in_addresses_is_refused() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("controller.example")])
    with pytest.raises(RequestError, match=r"request.addresses: controller.example"):
        check_request(signed(new_key(), names), NODE)
    with pytest.raises(RequestError, match=r"request.addresses"):
        check_authority_request(signed(new_key(), names))


@pytest.mark.parametrize(
    "asked",
    [("127.0.0.1",), ("127.0.0.1", "localhost", "bes.example"), ("127.0.0.2", "localhost")],
)
def test_a_servers_request_for_other_addresses_is_refused(asked: tuple[str, ...]) -> None:
    request = build_request(new_key(), SERVER, asked)
    with pytest.raises(RequestError, match=r"request.addresses"):
        check_request(request, SERVER, ADDRESSES)


@pytest.mark.parametrize(
    "name",
    [x509.RFC822Name("a@example"), x509.UniformResourceIdentifier("spiffe://x/y")],
    ids=["mail", "uri"],
)
def test_a_request_with_names_of_another_kind_is_refused(name: x509.GeneralName) -> None:
    with pytest.raises(MalformedError, match="IP addresses and DNS names"):
        check_request(signed(new_key(), x509.SubjectAlternativeName([name])), NODE)


def test_a_request_with_a_challenge_password_is_refused() -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(NODE))
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"secret")
    with pytest.raises(RequestError, match=r"request.attributes"):
        check_request(builder.sign(new_key(), hashes.SHA256()), NODE)


@pytest.mark.parametrize(
    "name",
    [
        x509.Name([]),
        x509.Name([*subject(NODE), *subject("site-b-01")]),
        x509.Name([*subject(NODE), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]),
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, NODE)]),
    ],
    ids=["none", "two", "more", "other"],
)
def test_a_request_with_another_subject_than_one_name_is_refused(name: x509.Name) -> None:
    with pytest.raises(RequestError, match=r"request.subject"):
        check_request(signed(new_key(), name=name), NODE)


@pytest.mark.parametrize(
    "name", ["../controller", "a/b", "#", "+", "Site-A-01", "a" * 64, "a b", "", "a\r\nb", "-a"]
)
def test_a_name_that_would_leave_its_topic_or_folder_is_refused(name: str) -> None:
    key = new_key()
    with pytest.raises(BadInputError, match="lower-case DNS label"):
        build_request(key, name)
    if name:
        with pytest.raises(BadInputError):
            check_request(signed(key, name=subject(name)), name)


def test_a_weak_hash_is_refused() -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(subject(NODE))
    with pytest.raises(RequestError, match="weak hash"):
        check_request(request.sign(new_key(), hashes.SHA224()), NODE)


def test_an_oversized_request_is_refused_unread() -> None:
    pem = build_request(new_key(), NODE).public_bytes(Encoding.PEM)
    with pytest.raises(MalformedError, match=f"at most {MAX_REQUEST_PEM} bytes"):
        read_request(pem + b"x" * MAX_REQUEST_PEM)


@pytest.mark.parametrize("rubbish", [b"", b"\x00" * 99, b"-----BEGIN CERTIFICATE REQUEST-----"])
def test_rubbish_instead_of_a_request_is_refused(rubbish: bytes) -> None:
    with pytest.raises(MalformedError, match="request: unreadable"):
        read_request(rubbish)


def test_a_request_cut_anywhere_is_refused() -> None:
    der = build_request(new_key(), NODE).public_bytes(Encoding.DER)
    for length in range(0, len(der), 7):
        body = base64.encodebytes(der[:length])
        pem = (
            b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"
        )
        with pytest.raises(MalformedError):
            read_request(pem)
