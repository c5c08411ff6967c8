"""Properties of identities: nothing altered is accepted, and nothing makes a reader stumble."""

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInputError
from shared.identity.errors import (
    ExpiredError,
    IdentityError,
    MalformedError,
    NotYetValidError,
    ProofError,
    RequestError,
)
from shared.identity.fingerprints import grouped, key_fingerprint, parse_fingerprint
from shared.identity.keys import read_key
from shared.identity.pem import read_certificates, read_list, read_request, read_request_der
from shared.identity.renewal import (
    LATE_RENEWAL,
    Challenge,
    check_key_proof,
    may_renew_expired,
    prove_key,
    renew_at,
)
from shared.identity.requests import build_request, check_request
from shared.identity.revocation import is_list_of
from shared.identity.trust import pin, read_bundle
from shared.identity.verification import verify_client
from shared.messages.topics import NODE_NAME
from shared.time import to_ms
from tests.identities import NODE, NOW, new_key, ours

HOLDER = ours().client()
REQUEST = build_request(new_key(), NODE)
REQUEST_DER = REQUEST.public_bytes(Encoding.DER)
CHALLENGE = Challenge(b"n" * 32, to_ms(NOW))
PROOF = prove_key(HOLDER.key, HOLDER.certificate, REQUEST, CHALLENGE)
LIST = ours().revoking(HOLDER)
LIST_DER = LIST.public_bytes(Encoding.DER)
LEAF_DER = HOLDER.certificate.public_bytes(Encoding.DER)

every_bit = pytest.mark.parametrize("mask", [1 << bit for bit in range(8)])


# Where something altered is believed, what was signed must be unaltered: one bit of a signature's
# encoding (BIT STRING's count of unused bits, where the last bit is 0) carries nothing.


def flipped(data: bytes, mask: int) -> Iterator[bytes]:
    """The data with this bit turned, in each byte in turn."""
    for at in range(len(data)):
        yield data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def pem(kind: str, der: bytes) -> bytes:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n".encode()


@every_bit
def test_a_request_with_any_bit_turned_is_never_signed(mask: int) -> None:
    for der in flipped(REQUEST_DER, mask):
        try:
            request = read_request_der(der)
            check_request(request, NODE)
        except (RequestError, MalformedError):
            continue
        assert request.tbs_certrequest_bytes == REQUEST.tbs_certrequest_bytes


@every_bit
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_certificate_with_any_bit_turned_is_never_believed(mask: int) -> None:
    for der in flipped(LEAF_DER, mask):
        try:
            (leaf,) = read_certificates(pem("CERTIFICATE", der))
            verified = verify_client((leaf, *HOLDER.behind), ours().trust, NOW)
        except IdentityError:
            continue
        assert verified.leaf.tbs_certificate_bytes == HOLDER.certificate.tbs_certificate_bytes


@every_bit
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_list_with_any_bit_turned_is_never_believed(mask: int) -> None:
    for der in flipped(LIST_DER, mask):
        try:
            crl = read_list(pem("X509 CRL", der))
        except MalformedError:
            continue
        believed = is_list_of(crl, ours().issuer.certificate)
        assert not believed or crl.tbs_certlist_bytes == LIST.tbs_certlist_bytes


@every_bit
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_root_with_any_bit_turned_is_never_pinned(mask: int) -> None:
    root = ours().root.certificate
    for der in flipped(root.public_bytes(Encoding.DER), mask):
        try:
            trust = pin(pem("CERTIFICATE", der), key_fingerprint(root))
        except IdentityError:
            continue
        assert trust.roots[0].tbs_certificate_bytes == root.tbs_certificate_bytes


@every_bit
def test_a_proof_with_any_bit_turned_proves_nothing(mask: int) -> None:
    for proof in flipped(PROOF, mask):
        with pytest.raises(ProofError):
            check_key_proof(proof, HOLDER.certificate, REQUEST, CHALLENGE, NOW)


@given(st.integers(-4_000, 4_000))
def test_a_chain_is_good_exactly_within_its_time(hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    leaf = HOLDER.certificate
    try:
        verify_client(HOLDER.chain, ours().trust, now)
    except NotYetValidError:
        assert now < leaf.not_valid_before_utc
    except ExpiredError:
        assert now > leaf.not_valid_after_utc
    else:
        assert leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc


@given(st.integers(1, 700), st.integers(0, 20_000), st.booleans())
def test_every_moment_has_exactly_one_way_to_renew(days: int, hours: int, revoked: bool) -> None:
    leaf = ours().client(lifetime=timedelta(days=days)).certificate
    now = NOW + timedelta(hours=hours)
    ended = leaf.not_valid_after_utc
    assert leaf.not_valid_before_utc < renew_at(leaf) < ended
    late = may_renew_expired(leaf, now, revoked=revoked)
    assert late == (not revoked and ended < now < ended + LATE_RENEWAL)


@given(st.text("0123456789abcdef", min_size=64, max_size=64))
def test_every_fingerprint_survives_being_grouped_and_read(digits: str) -> None:
    assert parse_fingerprint(grouped(f"sha256:{digits}")) == f"sha256:{digits}"


@given(st.binary(max_size=400))
def test_readers_of_pem_refuse_rubbish_by_type(rubbish: bytes) -> None:
    for wrapped in (rubbish, b"-----BEGIN CERTIFICATE-----\n" + rubbish):
        for read in (read_certificates, read_request, read_list, read_key, read_bundle):
            try:
                read(wrapped)
            except MalformedError:
                continue
            raise AssertionError(f"read: {wrapped!r}")


@given(st.text(max_size=70))
def test_only_names_of_nodes_get_a_request(name: str) -> None:
    try:
        request = build_request(new_key(), name)
    except BadInputError:
        assert NODE_NAME.fullmatch(name) is None
        return
    assert check_request(request, name).node == name
