"""Assertions of passkeys: every piece of them must be right."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from shared.approvals.cose import read_cose_key
from shared.approvals.passkey import (
    PasskeyAssertion,
    decode_assertion,
    encode_assertion,
    verify_assertion,
)
from shared.errors import BadInputError
from shared.messages import cbor
from tests.approvers import PARTY, Ceremony, PasskeyApprover, with_passkey

CHALLENGE = hashlib.sha256(b"challenge").digest()
APPROVERS = (with_passkey("alice"), with_passkey("alice", eddsa=True))
BOTH = pytest.mark.parametrize("approver", APPROVERS, ids=("ES256", "EdDSA"))


def verify(approver: PasskeyApprover, assertion: PasskeyAssertion) -> int:
    """With the usual relying party and challenge."""
    return verify_assertion(assertion, approver.public_key, PARTY, CHALLENGE)


@BOTH
def test_a_good_assertion_gives_its_counter(approver: PasskeyApprover) -> None:
    assert verify(approver, approver.answer(Ceremony(counter=7), CHALLENGE)) == 7
    assert verify(approver, approver.answer(Ceremony(counter=0, flags=0x1D), CHALLENGE)) == 0


@BOTH
@pytest.mark.parametrize(
    ("ceremony", "field"),
    [
        (Ceremony(origin="https://bes.example.evil"), "origin"),
        (Ceremony(origin="http://bes.example"), "origin"),
        (Ceremony(origin="https://bes.example:444"), "origin"),
        (Ceremony(rp_id="evil.example"), "authenticator_data"),
        (Ceremony(rp_id="BES.example"), "authenticator_data"),
        (Ceremony(type="webauthn.create"), "client_data"),
        (Ceremony(flags=0x01), "authenticator_data"),
        (Ceremony(flags=0x04), "authenticator_data"),
        (Ceremony(flags=0x45), "authenticator_data"),
        (Ceremony(flags=0x85), "authenticator_data"),
        (Ceremony(flags=0x15), "authenticator_data"),
        (Ceremony(extra=(("crossOrigin", True),)), "origin"),
        (Ceremony(extra=(("crossOrigin", "no"),)), "origin"),
        (Ceremony(extra=(("topOrigin", "https://bes.example"),)), "origin"),
        (Ceremony(challenge=hashlib.sha256(b"other").digest()), "challenge"),
        (Ceremony(challenge=CHALLENGE[:-1]), "challenge"),
        (Ceremony(challenge=b""), "challenge"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_assertion_of_something_else_is_refused(
    approver: PasskeyApprover, ceremony: Ceremony, field: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        verify(approver, approver.answer(ceremony, CHALLENGE))
    assert refused.value.field == field


@BOTH
def test_any_changed_byte_of_an_assertion_is_refused(approver: PasskeyApprover) -> None:
    good = approver.answer(Ceremony(), CHALLENGE)
    for name in ("authenticator_data", "client_data", "signature"):
        content: bytes = getattr(good, name)
        for place in range(len(content)):
            changed = bytearray(content)
            changed[place] ^= 0x01
            pieces: dict[str, Any] = {name: bytes(changed)}
            with pytest.raises(BadInputError):
                verify(approver, replace(good, **pieces))


def test_an_assertion_of_another_key_is_refused() -> None:
    other = with_passkey("alice", 1).answer(Ceremony(), CHALLENGE)
    for approver in APPROVERS:
        with pytest.raises(BadInputError):
            verify(approver, other)


@pytest.mark.parametrize(
    "client_data",
    [b"", b"{", b"[]", b"\xff", b'{"type": "webauthn.get", "type": "webauthn.get"}', b" " * 5_000],
)
def test_client_data_that_is_no_object_is_refused(client_data: bytes) -> None:
    good = APPROVERS[0].answer(Ceremony(), CHALLENGE)
    with pytest.raises(BadInputError):
        verify(APPROVERS[0], replace(good, client_data=client_data))


def test_authenticator_data_with_something_behind_it_is_refused() -> None:
    good = APPROVERS[0].answer(Ceremony(), CHALLENGE)
    for data in (good.authenticator_data + b"\xa0", good.authenticator_data[:-1], b""):
        with pytest.raises(BadInputError):
            verify(APPROVERS[0], replace(good, authenticator_data=data))


def _ec(**changed: Any) -> bytes:
    parameters = {**cbor.decode(APPROVERS[0].public_key), **changed.pop("entries", {})}
    return cbor.encode(parameters)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        bytes(600),
        _ec(entries={3: -257}),
        _ec(entries={-1: 2}),
        _ec(entries={1: 3}),
        _ec(entries={-2: bytes(32)}),
        _ec(entries={-2: bytes(31)}),
        _ec(entries={-3: 7}),
        _ec(entries={4: [2]}),
        cbor.encode({1: 1, 3: -8, -1: 6, -2: bytes(31)}),
        cbor.encode({1: 1, 3: -7, -1: 6, -2: bytes(32)}),
    ],
)
def test_a_key_of_another_kind_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError):
        read_cose_key(content)


def test_an_assertion_is_kept_and_read_again() -> None:
    good = APPROVERS[0].answer(Ceremony(), CHALLENGE)
    assert decode_assertion(encode_assertion(good)) == good
    for content in (b"", b"\x80", cbor.encode([b"", b""]), cbor.encode(["", b"", b""])):
        with pytest.raises(BadInputError):
            decode_assertion(content)
