"""Bodies that are too large, too slow, or not what they say."""

import socket
import time
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from controller.api.v1.enrolment import bodies
from shared.enrolment import MAX_BODY_BYTES
from tests.enrolments import Interface, new_key

JOIN = "/api/v1/enrolment/join"
RENEW = "/api/v1/enrolment/renew"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is refused before the database is asked is refused alike on both."""


@pytest.mark.parametrize("path", [JOIN, RENEW])
def test_an_oversized_body_is_refused(interface: Interface, path: str) -> None:
    before = interface.facts()
    response = interface.stranger.post(path, content=b"x" * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert interface.facts() == before


def test_an_oversized_body_that_hides_its_size_is_refused(interface: Interface) -> None:
    before = interface.facts()
    response = interface.stranger.post(JOIN, content=(b"x" * 1_024 for _ in range(64)))
    assert response.status_code == 413
    assert interface.facts() == before


def test_a_slow_body_is_refused_in_time(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.5)
    before = interface.facts()
    place = urlsplit(interface.url)
    assert place.hostname is not None
    assert place.port is not None
    with (
        socket.create_connection((place.hostname, place.port), 30) as plain,
        interface.ca.client_context().wrap_socket(plain, server_hostname=place.hostname) as slow,
    ):
        head = f"POST {JOIN} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        slow.sendall(head.encode() + b"{")
        answered, deadline = b"", time.monotonic() + 30
        while b"\r\n" not in answered and time.monotonic() < deadline:
            answered += slow.recv(4_096)
    assert answered.startswith(b"HTTP/1.1 408")
    assert interface.facts() == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"token": "x"}', b'{"token": 1, "request": "x"}', b"\xff\xfe"],
)
def test_a_malformed_body_is_refused(interface: Interface, body: bytes) -> None:
    before = interface.facts()
    response = interface.stranger.post(JOIN, content=body)
    assert response.status_code == 422
    assert interface.facts() == before


def test_a_refusal_does_not_repeat_the_token(interface: Interface) -> None:
    token = interface.new_token()["token"]
    response = interface.stranger.post(JOIN, json={"token": token, "request": "", "more": 1})
    assert response.status_code == 422
    assert token.partition(".")[2] not in response.text


def _sent(interface: Interface, request: x509.CertificateSigningRequest) -> int:
    token = interface.new_token()["token"]
    before = interface.facts()
    body = {"token": token, "request": request.public_bytes(Encoding.PEM).decode()}
    response = interface.stranger.post(JOIN, json=body)
    assert interface.facts() == before
    return response.status_code


def _named(*names: str) -> x509.CertificateSigningRequestBuilder:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names]
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))


def test_a_request_for_two_names_is_refused(interface: Interface) -> None:
    request = _named("site-a-01", "site-b-01").sign(new_key(), hashes.SHA256())
    assert _sent(interface, request) == 409


def test_a_request_for_an_authority_is_refused(interface: Interface) -> None:
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    builder = _named("site-a-01").add_extension(constraints, critical=True)
    assert _sent(interface, builder.sign(new_key(), hashes.SHA256())) == 409


def test_a_request_for_a_servers_name_is_refused(interface: Interface) -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("broker.example")])
    builder = _named("site-a-01").add_extension(names, critical=False)
    assert _sent(interface, builder.sign(new_key(), hashes.SHA256())) == 409


def test_a_request_with_a_path_for_a_name_is_refused(interface: Interface) -> None:
    assert _sent(interface, _named("../site-a-01").sign(new_key(), hashes.SHA256())) == 409


def test_a_request_with_a_topics_wildcard_for_a_name_is_refused(interface: Interface) -> None:
    assert _sent(interface, _named("+").sign(new_key(), hashes.SHA256())) == 409


def test_a_request_by_a_weak_or_other_key_is_refused(interface: Interface) -> None:
    weak = ec.generate_private_key(ec.SECP192R1())
    other = rsa.generate_private_key(65_537, 2_048)
    assert _sent(interface, _named("site-a-01").sign(weak, hashes.SHA256())) == 409
    assert _sent(interface, _named("site-a-01").sign(other, hashes.SHA256())) == 409
