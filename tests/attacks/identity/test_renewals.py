"""Attacks on the late renewal of an expired certificate: every one is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from shared.identity.errors import (
    ForeignAuthorityError,
    MalformedError,
    ProofError,
    RevokedError,
    WrongNameError,
)
from shared.identity.renewal import (
    CHALLENGE_LIFETIME,
    LATE_RENEWAL,
    Challenge,
    check_key_proof,
    may_renew_expired,
    prove_key,
)
from shared.identity.requests import build_request
from shared.identity.verification import verify_client, verify_late
from shared.time import to_ms
from tests.identities import NODE, NOW, Holder, foreign, new_key, ours

EXPIRED = ours().client(now=NOW - timedelta(days=30))
CHALLENGE = Challenge(b"n" * 32, to_ms(NOW))


def request() -> x509.CertificateSigningRequest:
    return build_request(new_key(), NODE)


def test_the_holder_of_an_expired_certificate_may_renew_it() -> None:
    asked = request()
    proof = prove_key(EXPIRED.key, EXPIRED.certificate, asked, CHALLENGE)
    check_key_proof(proof, EXPIRED.certificate, asked, CHALLENGE, NOW)
    assert may_renew_expired(EXPIRED.certificate, NOW, revoked=False)
    lists = [ours().revoking()]
    assert verify_late(EXPIRED.chain, ours().trust, NOW, node=NODE, lists=lists).node == NODE


def test_a_proof_by_another_key_is_refused() -> None:
    asked = request()
    proof = prove_key(new_key(), EXPIRED.certificate, asked, CHALLENGE)
    with pytest.raises(ProofError, match="not by the certificate's key"):
        check_key_proof(proof, EXPIRED.certificate, asked, CHALLENGE, NOW)


def test_a_proof_moved_to_another_request_is_refused() -> None:
    proof = prove_key(EXPIRED.key, EXPIRED.certificate, request(), CHALLENGE)
    with pytest.raises(ProofError):
        check_key_proof(proof, EXPIRED.certificate, request(), CHALLENGE, NOW)


def test_a_proof_moved_to_another_certificate_of_the_same_key_is_refused() -> None:
    other = ours().client(now=NOW - timedelta(days=60))
    twin = Holder(EXPIRED.key, other.certificate, EXPIRED.behind)
    asked = request()
    proof = prove_key(EXPIRED.key, twin.certificate, asked, CHALLENGE)
    with pytest.raises(ProofError):
        check_key_proof(proof, EXPIRED.certificate, asked, CHALLENGE, NOW)


@pytest.mark.parametrize(
    "other", [Challenge(b"m" * 32, CHALLENGE.issued_ms), Challenge(b"n" * 32, to_ms(NOW) - 1)]
)
def test_a_proof_replayed_for_another_challenge_is_refused(other: Challenge) -> None:
    asked = request()
    proof = prove_key(EXPIRED.key, EXPIRED.certificate, asked, CHALLENGE)
    with pytest.raises(ProofError):
        check_key_proof(proof, EXPIRED.certificate, asked, other, NOW)


@pytest.mark.parametrize("away", [CHALLENGE_LIFETIME, timedelta(days=1), timedelta(seconds=-1)])
def test_a_proof_for_a_challenge_that_is_old_or_from_the_future_is_refused(
    away: timedelta,
) -> None:
    asked = request()
    proof = prove_key(EXPIRED.key, EXPIRED.certificate, asked, CHALLENGE)
    with pytest.raises(ProofError, match="last five minutes"):
        check_key_proof(proof, EXPIRED.certificate, asked, CHALLENGE, NOW + away)


def test_a_signature_made_for_something_else_is_no_proof() -> None:
    """A request's own signature, by the very same key, is over another domain."""
    asked = build_request(EXPIRED.key, NODE)
    with pytest.raises(ProofError):
        check_key_proof(asked.signature, EXPIRED.certificate, asked, CHALLENGE, NOW)


@pytest.mark.parametrize("proof", [b"", b"\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"x" * 9_999])
def test_rubbish_instead_of_a_proof_is_refused(proof: bytes) -> None:
    with pytest.raises(ProofError):
        check_key_proof(proof, EXPIRED.certificate, request(), CHALLENGE, NOW)


@pytest.mark.parametrize("nonce", [b"", b"short", b"x" * 65])
def test_a_challenge_of_the_wrong_length_is_refused(nonce: bytes) -> None:
    with pytest.raises(MalformedError, match=r"challenge.nonce"):
        replace(CHALLENGE, nonce=nonce)


def test_more_than_90_days_late_is_too_late() -> None:
    ended = EXPIRED.certificate.not_valid_after_utc
    assert may_renew_expired(EXPIRED.certificate, ended + timedelta(seconds=1), revoked=False)
    last = ended + LATE_RENEWAL
    assert may_renew_expired(EXPIRED.certificate, last - timedelta(seconds=1), revoked=False)
    assert not may_renew_expired(EXPIRED.certificate, last, revoked=False)


def test_a_revoked_certificate_does_not_renew_itself_late() -> None:
    assert not may_renew_expired(EXPIRED.certificate, NOW, revoked=True)
    with pytest.raises(RevokedError):
        verify_late(EXPIRED.chain, ours().trust, NOW, lists=[ours().revoking(EXPIRED)])


def test_an_expired_certificate_of_another_authority_does_not_renew_itself() -> None:
    theirs = foreign().client(now=NOW - timedelta(days=30))
    with pytest.raises(ForeignAuthorityError):
        verify_late(theirs.chain, ours().trust, NOW)


def test_an_expired_certificate_of_another_node_does_not_renew_this_one() -> None:
    other = ours().client("site-b-01", NOW - timedelta(days=30))
    with pytest.raises(WrongNameError):
        verify_late(other.chain, ours().trust, NOW, node=NODE)


def test_a_certificate_in_force_is_judged_as_ever() -> None:
    holder = ours().client()
    late = verify_late(holder.chain, ours().trust, NOW)
    assert late == verify_client(holder.chain, ours().trust, NOW)
    assert not may_renew_expired(holder.certificate, NOW, revoked=False)
