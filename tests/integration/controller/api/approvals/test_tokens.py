"""Which API token an approval was asked for with is kept, whatever was asked for."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from controller.access.permissions import Role
from controller.config import RetentionConfig
from controller.retention.job import enter_defaults
from controller.storage import tables
from controller.storage.engine import Storage
from tests.approvers import with_file
from tests.integration.controller.api.approvals.conftest import SignedIn
from tests.integration.controller.api.approvals.test_approvals import (
    API,
    give,
    issued,
    say,
    waiting,
)
from tests.integration.controller.api.approvals.test_policies import wish
from tests.offices import Office


def tokens_of_requests(storage: Storage) -> list[Any]:
    """By request."""
    with storage.read() as conn:
        return list(conn.scalars(select(tables.approval_requests.c.token_id)))


def ask(client: TestClient, office: Office, what: str) -> int:
    """Asks for something that needs approval; the status."""
    if what == "a command":
        return int(give(client).status_code)
    if what == "a policy":
        with office.storage.write() as conn:
            enter_defaults(conn, office.clock, RetentionConfig())
        return int(wish(client, 30).status_code)
    office.hire("gina", Role.ADMINISTRATOR)
    office.hire("hugo", Role.ADMINISTRATOR)
    grant = {"role": "administrator", "scope": "company"}
    alice = office.users["alice"]
    if what == "a role":
        return client.post(f"{API}/users/{alice}/grants", json=grant).status_code
    asked = {"user_id": alice, **grant}
    return client.post(f"{API}/approvals/user-grants", json=asked).status_code


@pytest.mark.parametrize("what", ["a command", "a policy", "a role", "a role, as a request"])
def test_a_request_keeps_the_token_that_it_was_made_with(
    client: TestClient, office: Office, storage: Storage, what: str
) -> None:
    with storage.read() as conn:
        (token_id,) = conn.scalars(select(tables.api_tokens.c.id))
    assert ask(client, office, what) == 202
    assert tokens_of_requests(storage) == [token_id]


def test_a_command_asked_for_with_a_stolen_token_is_not_issued_once_it_is_revoked(
    client: TestClient, office: Office, signed_in: SignedIn, storage: Storage
) -> None:
    request_id = waiting(client)
    assert say(client, request_id, with_file("alice")).status_code == 200
    with storage.write() as conn:
        revoked = tables.api_tokens.update().values(revoked_real_ms=office.clock.real_ms())
        conn.execute(revoked)
    answer = say(signed_in("dave"), request_id, with_file("bob"))
    assert "no longer good" in answer.json()["detail"]
    assert (answer.status_code, issued(storage)) == (409, [])


def test_a_request_made_in_a_session_keeps_none(
    office: Office, signed_in: SignedIn, storage: Storage
) -> None:
    waiting(signed_in("dave"))
    assert tokens_of_requests(storage) == [None]
