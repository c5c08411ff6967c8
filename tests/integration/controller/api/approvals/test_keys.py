"""Approvers' keys: registered by their owners, confirmed by somebody else."""

import base64
import hashlib
import json
from typing import Any

from fastapi.testclient import TestClient

from controller.access.permissions import Role
from shared.approvals.exchange import to_base64
from shared.approvals.keys import registration_statement
from shared.messages import cbor
from tests.approvers import PARTY, PasskeyApprover, with_file, with_passkey
from tests.integration.controller.api.approvals.conftest import SignedIn
from tests.offices import Office

API = "/api/v1/approval-keys"


def document(person: str, number: int = 5, name: str = "laptop") -> dict[str, Any]:
    """What `bes approve keygen` writes."""
    approver = with_file(person, number)
    proof = approver.secret.sign(registration_statement(person, approver.public_key))
    return {
        "name": name,
        "public_key": to_base64(approver.public_key),
        "proof": to_base64(proof),
    }


def credential(options: dict[str, Any], approver: PasskeyApprover, **changed: Any) -> Any:
    """What a browser gives for new options, without attestation."""
    origin = changed.get("origin", PARTY.origins[0])
    client_data = {"type": "webauthn.create", "challenge": options["challenge"], "origin": origin}
    data = hashlib.sha256(PARTY.id.encode()).digest() + bytes([changed.get("flags", 0x45)])
    data += bytes(4) + bytes(16) + (16).to_bytes(2, "big") + b"credential-id-16"
    attestation = {"fmt": "none", "attStmt": {}, "authData": data + approver.public_key}
    return {
        "id": _urlsafe(b"credential-id-16"),
        "rawId": _urlsafe(b"credential-id-16"),
        "type": "public-key",
        "response": {
            "clientDataJSON": _urlsafe(json.dumps(client_data).encode()),
            "attestationObject": _urlsafe(cbor.encode(attestation)),
            "transports": ["internal"],
        },
        "clientExtensionResults": {},
    }


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_a_key_is_registered_and_waits_for_another_to_confirm_it(
    office: Office, signed_in: SignedIn
) -> None:
    made = signed_in("alice").post(API, json=document("alice"))
    assert made.status_code == 201, made.text
    key = made.json()
    assert (key["person"], key["own"], key["confirmed"]) == ("alice", True, None)
    assert key["key_id"] == with_file("alice", 5).key.key_id.hex()
    office.hire("grace", Role.ADMINISTRATOR)
    path, fingerprint = f"{API}/{key['id']}/confirmation", {"key_id": key["key_id"]}
    assert signed_in("bob").post(path, json=fingerprint).status_code == 403
    confirmed = signed_in("grace").post(path, json=fingerprint)
    assert confirmed.status_code == 200
    assert confirmed.json()["confirmed"] is not None
    assert signed_in("grace").post(path, json=fingerprint).status_code == 409
    assert office.leaves("approval_key") == ["approval_key.registered", "approval_key.confirmed"]


def test_a_key_is_registered_once_and_by_who_holds_it(office: Office, signed_in: SignedIn) -> None:
    alice = signed_in("alice")
    assert alice.post(API, json=document("bob")).status_code == 409
    assert alice.post(API, json={**document("alice"), "proof": "AA=="}).status_code == 409
    assert alice.post(API, json={**document("alice"), "name": "a\u202eb"}).status_code == 409
    assert alice.post(API, json=document("alice")).status_code == 201
    assert alice.post(API, json=document("alice")).status_code == 409


def test_an_administrator_does_not_confirm_a_key_of_his_own(
    office: Office, signed_in: SignedIn
) -> None:
    office.hire("grace", Role.ADMINISTRATOR)
    grace = signed_in("grace")
    key = grace.post(API, json=document("grace")).json()
    answer = grace.post(f"{API}/{key['id']}/confirmation", json={"key_id": key["key_id"]})
    assert (answer.status_code, office.refusals()) == (409, ["own key"])


def test_a_key_is_revoked_by_its_owner_or_an_administrator(
    office: Office, signed_in: SignedIn
) -> None:
    office.hire("grace", Role.ADMINISTRATOR)
    keys = signed_in("alice").get(API).json()["items"]
    first, second = (key["id"] for key in keys if key["own"])
    assert signed_in("bob").post(f"{API}/{first}/revocation").status_code == 404
    assert signed_in("alice").post(f"{API}/{first}/revocation").json()["revoked"] is not None
    assert signed_in("grace").post(f"{API}/{second}/revocation").json()["revoked"] is not None
    assert signed_in("grace").post(f"{API}/{second}/revocation").status_code == 409
    assert signed_in("grace").post(f"{API}/999999/revocation").status_code == 404


def test_a_token_registers_no_key(client: TestClient, office: Office) -> None:
    assert client.post(API, json=document("tests")).status_code == 403
    assert client.post(f"{API}/passkey-options").status_code == 403


def test_a_passkey_is_registered_with_the_challenge_given_once(
    office: Office, signed_in: SignedIn
) -> None:
    alice = signed_in("alice")
    options = alice.post(f"{API}/passkey-options").json()["public_key"]
    assert {p["alg"] for p in options["pubKeyCredParams"]} == {-7, -8}
    answer = credential(options, with_passkey("alice", 7))
    made = alice.post(f"{API}/passkeys", json={"name": "phone", "credential": answer})
    assert made.status_code == 201, made.text
    assert made.json()["key_id"] == with_passkey("alice", 7).key.key_id.hex()
    again = alice.post(f"{API}/passkeys", json={"name": "phone", "credential": answer})
    assert (again.status_code, office.refusals()) == (409, ["no challenge"])


def test_a_passkey_for_something_else_is_not_registered(
    office: Office, signed_in: SignedIn
) -> None:
    alice = signed_in("alice")
    for changed in ({"origin": "https://evil.example"}, {"flags": 0x41}):
        options = alice.post(f"{API}/passkey-options").json()["public_key"]
        answer = credential(options, with_passkey("alice", 7), **changed)
        made = alice.post(f"{API}/passkeys", json={"name": "phone", "credential": answer})
        assert made.status_code == 409
    options = alice.post(f"{API}/passkey-options").json()["public_key"]
    bob = signed_in("bob")
    answer = credential(options, with_passkey("bob", 7))
    assert bob.post(f"{API}/passkeys", json={"name": "x", "credential": answer}).status_code == 409
    assert office.refusals() == ["bad registration", "bad registration", "no challenge"]


def test_a_challenge_runs_out(office: Office, signed_in: SignedIn, clock: Any) -> None:
    alice = signed_in("alice")
    options = alice.post(f"{API}/passkey-options").json()["public_key"]
    clock.time_ms += 300_000
    answer = credential(options, with_passkey("alice", 7))
    made = alice.post(f"{API}/passkeys", json={"name": "phone", "credential": answer})
    assert (made.status_code, office.refusals()) == (409, ["no challenge"])
