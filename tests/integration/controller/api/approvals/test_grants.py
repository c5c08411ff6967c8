"""Roles that one administrator cannot give alone."""

from typing import Any

import pytest
from sqlalchemy import select

from controller.access import people
from controller.access.permissions import Role
from controller.storage import tables
from shared.approvals.exchange import case_from_document, decision_to_document
from tests.approvers import with_file
from tests.integration.controller.api.approvals.conftest import SignedIn
from tests.offices import Office

API = "/api/v1/approvals"


@pytest.fixture
def administrators(office: Office) -> Office:
    """Grace and Henry administer the company."""
    for name in ("grace", "henry"):
        office.hire(name, Role.ADMINISTRATOR)
        office.register(with_file(name))
    return office


def ask(office: Office, signed_in: SignedIn, by: str, target: str, role: str = "treasurer") -> Any:
    """An administrator asks for a role."""
    wanted = {"user_id": office.users[target], "role": role, "scope": "company"}
    return signed_in(by).post(f"{API}/user-grants", json=wanted)


def roles(office: Office, name: str) -> list[str]:
    """What an account has."""
    with office.storage.read() as conn:
        query = select(tables.role_grants).where(tables.role_grants.c.user_id == office.users[name])
        return [row.role for row in conn.execute(query.order_by(tables.role_grants.c.id))]


def approve(signed_in: SignedIn, request: dict[str, Any], person: str) -> Any:
    """A person's answer."""
    document = decision_to_document(with_file(person).sign(case_from_document(request)))
    return signed_in(person).post(f"{API}/{request['id']}/decisions", json=document)


def test_a_role_is_given_with_the_approval_of_a_second_administrator(
    administrators: Office, signed_in: SignedIn
) -> None:
    asked = ask(administrators, signed_in, "grace", "alice")
    assert asked.status_code == 202, asked.text
    assert asked.json()["policy"] == {"people": ["henry"], "quorum": 1}
    assert roles(administrators, "alice") == ["operator"]
    assert approve(signed_in, asked.json(), "grace").status_code == 409
    assert approve(signed_in, asked.json(), "bob").status_code == 409
    given = approve(signed_in, asked.json(), "henry")
    assert given.json()["state"] == "used", given.text
    assert roles(administrators, "alice") == ["operator", "treasurer"]
    assert sorted(administrators.refusals()) == ["initiator", "not named"]


def test_an_administrator_raises_himself_only_with_anothers_approval(
    administrators: Office, signed_in: SignedIn
) -> None:
    asked = ask(administrators, signed_in, "grace", "grace").json()
    assert asked["policy"]["people"] == ["henry"]
    assert approve(signed_in, asked, "grace").status_code == 409
    assert roles(administrators, "grace") == ["administrator"]


def test_who_would_be_raised_does_not_decide_on_it(
    administrators: Office, signed_in: SignedIn
) -> None:
    answer = ask(administrators, signed_in, "grace", "henry")
    assert (answer.status_code, roles(administrators, "henry")) == (409, ["administrator"])


def test_a_role_asked_for_by_who_was_disabled_since_is_not_given(
    administrators: Office, signed_in: SignedIn
) -> None:
    asked = ask(administrators, signed_in, "grace", "alice").json()
    with administrators.storage.write() as conn:
        grace = administrators.users["grace"]
        people.set_disabled(conn, administrators.clock, grace, people.HOST, disabled=True)
    answer = approve(signed_in, asked, "henry")
    assert (answer.status_code, roles(administrators, "alice")) == (409, ["operator"])


def test_who_may_not_change_users_asks_for_no_role(
    administrators: Office, signed_in: SignedIn
) -> None:
    assert ask(administrators, signed_in, "alice", "alice").status_code == 403
    missing = {"user_id": 9_999, "role": "viewer", "scope": "company"}
    assert signed_in("grace").post(f"{API}/user-grants", json=missing).status_code == 404
    strange = {**missing, "scope": "galaxy"}
    assert signed_in("grace").post(f"{API}/user-grants", json=strange).status_code == 422
