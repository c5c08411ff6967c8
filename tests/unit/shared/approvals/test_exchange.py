"""The documents that travel between the controller and an approver."""

import json
from typing import Any

import pytest

from shared.approvals.exchange import (
    MAX_DOCUMENT,
    case_from_document,
    case_to_document,
    decision_from_document,
    decision_to_document,
    read_json,
    to_base64,
)
from shared.approvals.keys import prove_possession, registration_statement
from shared.approvals.passkey import decode_assertion
from shared.errors import BadInputError
from tests.approvers import case_of, with_file, with_passkey


def test_a_request_is_read_as_it_was_written() -> None:
    case = case_of()
    document = json.loads(json.dumps({**case_to_document(case), "rendered": "by the sender"}))
    assert case_from_document(document) == case


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": "00" * 32},
        {"digest": None},
        {"intent": to_base64(case_of().intent[:-1])},
        {"intent": "no base64!"},
        {"intent": 5},
        {"id": ""},
        {"initiator": "d\u0430ve"},
        {"policy": {"people": ["alice"], "quorum": 2}},
        {"policy": {"people": ["alice"], "quorum": 1, "and": "more"}},
        {"policy": []},
        {"expires_at_ms": "soon"},
    ],
)
def test_a_request_that_is_not_what_it_says_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        case_from_document({**case_to_document(case_of()), **changed})


def test_a_decision_is_read_as_it_was_written() -> None:
    signed = with_file("alice").sign(case_of())
    assert decision_from_document(decision_to_document(signed)) == signed


def test_a_decision_of_a_passkey_is_read_in_the_browsers_base64() -> None:
    signed = with_passkey("alice").sign(case_of())
    assertion = decode_assertion(signed.signature)
    pieces = {
        "authenticator_data": assertion.authenticator_data,
        "client_data": assertion.client_data,
        "signature": assertion.signature,
    }
    urlsafe = {
        name: to_base64(piece).replace("+", "-").replace("/", "_").rstrip("=")
        for name, piece in pieces.items()
    }
    document = {
        "decision": "approve",
        "key_id": signed.key_id.hex(),
        "signature": {"kind": "passkey", **urlsafe},
    }
    assert decision_from_document(document) == signed


@pytest.mark.parametrize(
    "changed",
    [
        {"decision": "maybe"},
        {"decision": []},
        {"key_id": "00"},
        {"key_id": "zz" * 16},
        {"signature": {"kind": "oath", "value": "AA=="}},
        {"signature": {"kind": "ed25519", "value": "AA==", "more": 1}},
        {"signature": {"kind": "ed25519"}},
        {"signature": {"kind": "ed25519", "value": "A" * 9_000}},
        {"comment": "hello"},
    ],
)
def test_a_decision_of_another_shape_is_refused(changed: dict[str, Any]) -> None:
    document = decision_to_document(with_file("alice").sign(case_of()))
    with pytest.raises(BadInputError):
        decision_from_document({**document, **changed})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a": 1, "a": 2}', b"\xff{}", b" " * (MAX_DOCUMENT + 1)]
)
def test_a_document_that_is_not_one_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError):
        read_json(content, "request")


def test_a_key_is_registered_only_with_its_own_proof_for_its_own_person() -> None:
    alice, bob = with_file("alice"), with_file("bob")
    proof = alice.secret.sign(registration_statement("alice", alice.public_key))
    prove_possession("alice", alice.public_key, proof)
    for person, public_key in (("bob", alice.public_key), ("alice", bob.public_key)):
        with pytest.raises(BadInputError):
            prove_possession(person, public_key, proof)
    with pytest.raises(BadInputError):
        prove_possession("alice", alice.public_key[:-1], proof)
