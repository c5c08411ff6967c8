"""What needs approval waits for it, and is done with the last one."""

import base64
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import select, update

from controller.access.permissions import Role
from controller.storage import tables
from controller.storage.engine import Storage
from shared.approvals.encoding import decode
from shared.approvals.exchange import case_from_document, decision_to_document
from shared.approvals.intents import CommandIntent
from shared.approvals.passkey import decode_assertion
from shared.approvals.statement import Decision
from shared.messages.actions import SetSetpoint
from shared.setpoints import Stop
from tests.approvers import Ed25519Approver, with_file, with_passkey
from tests.integration.controller.api.approvals.conftest import SignedIn
from tests.integration.controller.api.conftest import StoppedClock
from tests.offices import Office

API = "/api/v1"
STOP: dict[str, Any] = {
    "node": "a-01",
    "action": {"name": "setpoint", "device": "site", "setpoint": {"kind": "stop"}},
    "lifetime_ms": 60_000,
}


def give(client: TestClient, order: dict[str, Any] = STOP, key: str = "order-0001") -> Any:
    """Posts an order."""
    return client.post(f"{API}/commands", json=order, headers={"Idempotency-Key": key})


def waiting(client: TestClient, **changed: Any) -> str:
    """The id of a request for the usual order."""
    answer = give(client, {**STOP, **changed}, f"order-{changed!r}"[:100].replace(" ", ""))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval"])


def say(
    client: TestClient,
    request_id: str,
    approver: Ed25519Approver,
    decision: Decision = Decision.APPROVE,
) -> Any:
    """Reads a request, signs it and sends the answer."""
    case = case_from_document(client.get(f"{API}/approvals/{request_id}").json())
    document = decision_to_document(approver.sign(case, decision))
    return client.post(f"{API}/approvals/{request_id}/decisions", json=document)


def issued(storage: Storage) -> list[Any]:
    """The commands that were issued."""
    with storage.read() as conn:
        return list(conn.execute(select(tables.commands)))


def test_a_dangerous_order_is_put_before_approvers_and_not_issued(
    client: TestClient, office: Office
) -> None:
    answer = give(client)
    assert answer.status_code == 202, answer.text
    request_id = answer.json()["approval"]
    assert answer.headers["location"] == f"{API}/approvals/{request_id}"
    again = give(client)
    assert (again.status_code, again.json()) == (202, answer.json())
    assert issued(office.storage) == []
    listed = client.get(f"{API}/approvals", params={"state": "pending"}).json()["items"]
    assert [item["id"] for item in listed] == [request_id]
    assert listed[0]["headline"] == "On node a-01 of site site-a: stop site"
    assert listed[0]["initiator"] == "tests"


def test_an_order_that_no_rule_takes_in_is_issued_at_once(
    client: TestClient, office: Office
) -> None:
    action = {"name": "setpoint", "device": "miner-01", "setpoint": {"kind": "stop"}}
    answer = give(client, {**STOP, "action": action})
    assert answer.status_code == 201
    assert len(issued(office.storage)) == 1


def test_the_last_approval_issues_the_command_for_who_asked(
    client: TestClient, office: Office
) -> None:
    request_id = waiting(client)
    first = say(client, request_id, with_file("alice"))
    assert (first.status_code, first.json()["state"]) == (200, "pending"), first.text
    assert issued(office.storage) == []
    last = say(client, request_id, with_file("carol")).json()
    assert last["state"] == "used"
    [command] = issued(office.storage)
    assert last["outcome"] == command.id
    assert [answer["person"] for answer in last["answers"]] == ["alice", "carol"]
    assert (command.node, command.action, command.device) == ("a-01", "setpoint", "site")
    with office.storage.read() as conn:
        tests = conn.scalar(select(tables.users.c.id).where(tables.users.c.name == "tests"))
    assert command.actor == f"user:{tests}"
    assert office.leaves()[-4:] == [
        "approval.decision",
        "approval.decision",
        "approval.approved",
        "approval.used",
    ]
    refused = say(client, request_id, with_file("bob"))
    assert (refused.status_code, refused.json()["detail"]) == (409, "the request is used")
    assert len(issued(office.storage)) == 1


def test_an_approval_whose_command_cannot_be_issued_is_not_taken(
    client: TestClient, office: Office
) -> None:
    request_id = waiting(client)
    say(client, request_id, with_file("alice"))
    unborn = tables.nodes.c.name == "a-01"
    with office.storage.write() as conn:
        conn.execute(update(tables.nodes).where(unborn).values(event_stream=None))
    answer = say(client, request_id, with_file("bob"))
    assert (answer.status_code, issued(office.storage)) == (409, [])
    shown = client.get(f"{API}/approvals/{request_id}").json()
    assert (shown["state"], len(shown["answers"])) == ("pending", 1)
    with office.storage.write() as conn:
        conn.execute(update(tables.nodes).where(unborn).values(event_stream=12))
    assert say(client, request_id, with_file("bob")).json()["state"] == "used"


def test_a_refusal_ends_it_and_nothing_is_issued(client: TestClient, office: Office) -> None:
    request_id = waiting(client)
    say(client, request_id, with_file("alice"))
    answer = say(client, request_id, with_file("bob"), Decision.REFUSE)
    assert answer.json()["state"] == "refused"
    assert issued(office.storage) == []


def test_what_is_signed_is_given_whole_and_in_words(client: TestClient, office: Office) -> None:
    shown = client.get(f"{API}/approvals/{waiting(client)}").json()
    intent = decode(base64.b64decode(shown["intent"]))
    assert isinstance(intent, CommandIntent)
    assert (intent.site, intent.node) == ("site-a", "a-01")
    assert intent.action == SetSetpoint("site", Stop())
    case = case_from_document(shown)
    assert case.policy.to_data() == {"people": ["alice", "bob", "carol"], "quorum": 2}
    assert {"label": "Order", "value": "stop site"} in shown["lines"]


def test_orders_for_later_are_not_put_before_approvers(client: TestClient, office: Office) -> None:
    answer = give(client, {**STOP, "not_before": "2024-05-08T12:00:10Z"})
    assert (answer.status_code, office.leaves("approval.")) == (409, [])


def test_a_request_expires_and_says_so(
    client: TestClient, office: Office, clock: StoppedClock
) -> None:
    request_id = waiting(client)
    clock.time_ms += 3_600_000
    answer = say(client, request_id, with_file("alice"))
    assert (answer.status_code, answer.json()["detail"]) == (409, "the request has expired")
    assert office.refusals() == ["late"]


def test_the_initiator_may_withdraw_and_nobody_else(
    client: TestClient, office: Office, signed_in: SignedIn
) -> None:
    asked = give(signed_in("dave")).json()["approval"]
    assert client.post(f"{API}/approvals/{asked}/withdrawal").status_code == 409
    answer = signed_in("dave").post(f"{API}/approvals/{asked}/withdrawal")
    assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
    assert signed_in("dave").post(f"{API}/approvals/{asked}/withdrawal").status_code == 409
    assert say(client, asked, with_file("alice")).status_code == 409


def test_a_passkey_answers_the_challenge_that_it_was_given(
    client: TestClient, office: Office, signed_in: SignedIn
) -> None:
    request_id = waiting(client)
    path = f"{API}/approvals/{request_id}"
    for person in ("alice", "bob"):
        approver, page = with_passkey(person), signed_in(person)
        key_id = approver.key.key_id
        question: dict[str, Any] = {"decision": "approve", "key_id": key_id.hex()}
        options = page.post(f"{path}/passkey-options", json=question).json()["public_key"]
        case = case_from_document(page.get(path).json())
        challenge = case.challenge(key_id, Decision.APPROVE)
        assert options["challenge"] == urlsafe(challenge)
        assert (options["rpId"], options["userVerification"]) == ("bes.example", "required")
        made = decode_assertion(approver.sign(case).signature)
        signature: dict[str, str] = {
            "kind": "passkey",
            "authenticator_data": urlsafe(made.authenticator_data),
            "client_data": urlsafe(made.client_data),
            "signature": urlsafe(made.signature),
        }
        answer = page.post(f"{path}/decisions", json={**question, "signature": signature})
        assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "used"
    assert len(issued(office.storage)) == 1


def test_options_are_given_for_passkeys_of_ones_own_only(
    client: TestClient, office: Office, signed_in: SignedIn
) -> None:
    path = f"{API}/approvals/{waiting(client)}/passkey-options"
    for approver in (with_passkey("bob"), with_file("alice"), with_passkey("alice", 9)):
        question = {"decision": "approve", "key_id": approver.key.key_id.hex()}
        assert signed_in("alice").post(path, json=question).status_code == 409
    assert client.post(path, json=question).status_code == 403


def test_requests_of_other_sites_are_out_of_reach(
    client: TestClient, office: Office, signed_in: SignedIn
) -> None:
    request_id = waiting(client)
    office.hire("frank", Role.OPERATOR, "site:site-b")
    office.hire("grace", Role.OPERATOR, "site:site-a")
    frank, grace = signed_in("frank"), signed_in("grace")
    assert frank.get(f"{API}/approvals").json()["items"] == []
    assert frank.get(f"{API}/approvals/{request_id}").status_code == 404
    document: dict[str, Any] = {"decision": "approve", "key_id": "00" * 16}
    document["signature"] = {"kind": "ed25519", "value": "AA=="}
    answer = frank.post(f"{API}/approvals/{request_id}/decisions", json=document)
    assert answer.status_code == 404
    assert [item["id"] for item in grace.get(f"{API}/approvals").json()["items"]] == [request_id]


def test_a_request_changed_in_the_database_is_shown_as_such(
    client: TestClient, office: Office
) -> None:
    request_id = waiting(client)
    with office.storage.write() as conn:
        conn.execute(update(tables.approval_requests).values(intent=b"\xa0"))
    shown = client.get(f"{API}/approvals/{request_id}").json()
    assert "was changed" in shown["headline"]
    assert client.get(f"{API}/approvals").status_code == 200


def test_lists_come_in_pages_by_state_and_kind(client: TestClient, office: Office) -> None:
    ids = {waiting(client, lifetime_ms=number) for number in range(1, 4)}
    first = client.get(f"{API}/approvals", params={"limit": 2, "kind": "command"}).json()
    second = client.get(f"{API}/approvals", params={"cursor": first["next_cursor"]}).json()
    assert {item["id"] for item in first["items"] + second["items"]} == ids
    assert client.get(f"{API}/approvals", params={"kind": "payment"}).json()["items"] == []
    assert client.get(f"{API}/approvals", params={"state": "used"}).json()["items"] == []
    assert client.get(f"{API}/approvals/none").status_code == 404


def test_a_decision_of_another_shape_is_refused(client: TestClient, office: Office) -> None:
    path = f"{API}/approvals/{waiting(client)}/decisions"
    good = decision_to_document(
        with_file("alice").sign(case_from_document(client.get(path.rsplit("/", 1)[0]).json()))
    )
    wrong: list[dict[str, Any]] = [{"decision": "maybe"}, {"key_id": "0"}]
    for changed in [*wrong, {"signature": {}}, {"more": 1}]:
        assert client.post(path, json={**good, **changed}).status_code == 422
    broken = {"kind": "ed25519", "value": "A"}
    assert client.post(path, json={**good, "signature": broken}).status_code == 409


def urlsafe(content: bytes) -> str:
    """Base64 as browsers give it."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
