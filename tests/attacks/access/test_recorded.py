"""What is refused at the door is written down, on rows whose number nobody can drive up."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Row, insert, select, update

from controller.access.callers import UserKind
from controller.access.opaque import digest
from controller.access.permissions import COMPANY, Grant, Permission, Role
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import (
    api_tokens,
    approval_requests,
    role_grants,
    security_events,
    users,
)
from tests.accounts import PASSWORD, enter_account
from tests.attacks.access.interface import API, ORIGIN, Person, SetClock, admitted, state_of

MINUTE_MS = 60_000
NEW_USER = {"name": "mallory", "display_name": "M", "kind": "service"}


def events(storage: Storage, kind: SecurityKind) -> list[Row[Any]]:
    """The rows of a kind of security event."""
    with storage.read() as conn:
        query = select(security_events).where(security_events.c.kind == kind.value)
        return list(conn.execute(query.order_by(security_events.c.id)))


def id_of(storage: Storage, name: str) -> int:
    with storage.read() as conn:
        return int(conn.scalars(select(users.c.id).where(users.c.name == name)).one())


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Origin": "https://evil.example"}, "the request comes from another origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "the request comes from another site"),
        ({"X-CSRF-Token": "x" * 43}, "x-csrf-token is not this session's"),
    ],
)
def test_a_forged_change_is_refused_and_counted_on_one_row_of_the_account(
    root: Person, storage: Storage, headers: dict[str, str], reason: str
) -> None:
    before = state_of(storage)
    for number in range(3):
        body = {**NEW_USER, "name": f"mallory-{number}"}
        assert root.send("POST", f"{API}/users", body, headers).status_code == 403
        assert (
            root.send("DELETE", f"{API}/users/{number + 1}/grants/1", None, headers).status_code
            == 403
        )
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.REQUEST_FORGED)
    assert (told.subject, told.occurrences) == (f"user:{id_of(storage, 'root')}", 6)
    assert (told.detail["reason"], told.severity) == (reason, "critical")


def test_a_sign_in_forged_by_another_site_is_refused_and_recorded_by_address(
    application: FastAPI, storage: Storage
) -> None:
    person = Person.at(application, "203.0.113.5")
    before = state_of(storage)
    body = {"name": "root", "password": PASSWORD}
    for _ in range(2):
        answer = person.send("POST", f"{API}/sessions", body, {"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.REQUEST_FORGED)
    assert told.subject.startswith("address:")
    assert "203.0.113.5" not in f"{told.subject}{told.detail}"
    assert told.occurrences == 2


def test_reading_with_a_session_is_no_forgery(root: Person, storage: Storage) -> None:
    assert root.client.get(f"{API}/users", headers={"Sec-Fetch-Site": "cross-site"}).is_success
    assert events(storage, SecurityKind.REQUEST_FORGED) == []


def bearing(application: FastAPI, header: str, address: str = "testclient") -> int:
    client = Person.at(application, address).client
    headers = {"Authorization": header}
    answer = client.post(f"{API}/users", json=NEW_USER, headers=headers)
    return answer.status_code


def test_bad_tokens_are_refused_and_counted_on_one_row_however_many_are_tried(
    application: FastAPI, storage: Storage
) -> None:
    before = state_of(storage)
    for number in range(8):
        assert bearing(application, f"Bearer bes_{number:040}", "203.0.113.6") == 401
    assert bearing(application, f"Bearer {'x' * 5_000}", "203.0.113.6") == 401
    assert bearing(application, "Basic cm9vdDpyb290", "203.0.113.6") == 401
    assert state_of(storage) == before
    unknown, none = events(storage, SecurityKind.TOKEN_REFUSED)
    assert (unknown.detail["reason"], unknown.occurrences) == ("unknown", 8)
    assert (none.detail["reason"], none.occurrences) == ("no token", 2)
    assert unknown.subject == none.subject
    assert unknown.subject.startswith("address:")
    assert "203.0.113.6" not in f"{unknown.subject}{unknown.detail}"
    assert "bes_" not in f"{unknown.subject}{unknown.detail}"


@pytest.mark.parametrize("reason", ["revoked", "expired", "account disabled"])
def test_a_token_that_is_over_is_refused_and_recorded_with_its_account(
    application: FastAPI, storage: Storage, clock: SetClock, reason: str
) -> None:
    grants = [Grant(Role.ADMINISTRATOR, COMPANY)]
    user_id = enter_account(storage, clock, "script", grants)
    ended = clock.real_ms() if reason == "revoked" else None
    with storage.write() as conn:
        conn.execute(
            insert(api_tokens).values(
                user_id=user_id,
                name="of a script",
                prefix="tttt",
                secret_sha256=digest("t" * 40),
                permissions=sorted(Permission),
                created_real_ms=clock.real_ms(),
                expires_real_ms=clock.real_ms() + (0 if reason == "expired" else MINUTE_MS),
                revoked_real_ms=ended,
            )
        )
        if reason == "account disabled":
            disabled = update(users).where(users.c.id == user_id)
            conn.execute(disabled.values(disabled_real_ms=clock.real_ms()))
    before = state_of(storage)
    assert bearing(application, f"Bearer {'t' * 40}") == 401
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.TOKEN_REFUSED)
    assert (told.subject, told.detail["reason"]) == (f"user:{user_id}", reason)


def test_a_change_with_a_session_that_is_over_is_refused_and_recorded(
    vera: Person, storage: Storage, clock: SetClock
) -> None:
    clock.time_ms += 31 * MINUTE_MS
    before = state_of(storage)
    assert vera.get(f"{API}/sites").status_code == 401  # a page that was left open is no attack
    assert events(storage, SecurityKind.SESSION_REFUSED) == []
    for _ in range(2):
        assert vera.send("POST", f"{API}/users", NEW_USER).status_code == 401
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.SESSION_REFUSED)
    assert (told.subject, told.occurrences) == (f"user:{id_of(storage, 'vera')}", 2)
    assert told.detail["reason"] == "ended"


def test_a_change_with_a_made_up_session_is_refused_and_counted_by_address(
    application: FastAPI, storage: Storage
) -> None:
    before = state_of(storage)
    for number in range(5):
        person = Person.at(application, "203.0.113.7")
        person.client.cookies.set("bes_session", f"made-up-{number}", domain="testserver.local")
        assert person.send("POST", f"{API}/users", NEW_USER).status_code == 401
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.SESSION_REFUSED)
    assert (told.detail["reason"], told.occurrences) == ("unknown", 5)
    assert told.subject.startswith("address:")


def test_the_rows_of_a_flood_from_many_addresses_are_bounded(
    application: FastAPI, storage: Storage
) -> None:
    for number in range(105):
        assert bearing(application, "Bearer nobody-s", f"2001:db8:0:{number:x}::1") == 401
    told = events(storage, SecurityKind.TOKEN_REFUSED)
    assert len(told) == 101
    assert (told[-1].subject, told[-1].occurrences) == ("(many)", 5)


def granted(storage: Storage) -> list[tuple[int, str]]:
    """Who has which role."""
    with storage.read() as conn:
        query = select(role_grants.c.user_id, role_grants.c.role).order_by(role_grants.c.id)
        return [(row.user_id, row.role) for row in conn.execute(query)]


def administrators(storage: Storage, clock: SetClock, *names: str) -> list[int]:
    """Persons who administer the company."""
    ids = [
        enter_account(storage, clock, name, [Grant(Role.ADMINISTRATOR, COMPANY)]) for name in names
    ]
    with storage.write() as conn:
        conn.execute(update(users).where(users.c.id.in_(ids)).values(kind=UserKind.PERSON))
    return ids


def test_an_administrator_who_raises_himself_is_refused_and_recorded(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    (anna_id,) = administrators(storage, clock, "anna")
    anna = admitted(application, storage, clock, anna_id)
    before = state_of(storage)
    for role in ("treasurer", "operator"):
        wanted = {"role": role, "scope": "company"}
        answer = anna.send("POST", f"{API}/users/{anna_id}/grants", wanted)
        assert answer.status_code == 409
        assert "second administrator" in answer.text
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.GRANT_REFUSED)
    assert (told.subject, told.occurrences) == (f"user:{anna_id}", 2)
    assert told.detail == {"actor": f"user:{anna_id}", "reason": "to himself"}


def test_a_grant_that_nobody_else_could_agree_to_is_refused_and_recorded(
    root: Person, storage: Storage, clock: SetClock
) -> None:
    (other,) = administrators(storage, clock, "anna")
    before = state_of(storage)
    wanted = {"role": "treasurer", "scope": "company"}
    assert root.send("POST", f"{API}/users/{other}/grants", wanted).status_code == 409
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.GRANT_REFUSED)
    assert (told.subject, told.detail["reason"]) == (f"user:{other}", "nobody to agree")


def test_an_administrator_s_second_account_gets_no_role_without_another_s_approval(
    root: Person, storage: Storage, clock: SetClock
) -> None:
    administrators(storage, clock, "anna")
    puppet = enter_account(storage, clock, "puppet")
    before = granted(storage)
    wanted = {"role": "administrator", "scope": "company"}
    answer = root.send("POST", f"{API}/users/{puppet}/grants", wanted)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{API}/approvals/{answer.json()['approval']}"
    assert granted(storage) == before
    with storage.read() as conn:
        (asked,) = conn.execute(select(approval_requests)).all()
    assert (asked.id, asked.state) == (answer.json()["approval"], "pending")


def test_a_token_that_wants_to_change_its_account_is_refused_and_recorded(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    user_id = enter_account(storage, clock, "olga", [Grant(Role.OPERATOR, COMPANY)], token="o" * 40)
    client = Person.at(application).client
    before = state_of(storage)
    headers = {"Authorization": f"Bearer {'o' * 40}", "Origin": ORIGIN}
    change = {"password": PASSWORD, "new_password": "another good long password"}
    assert client.put(f"{API}/account/password", json=change, headers=headers).status_code == 403
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.ACCESS_REFUSED)
    assert told.subject == f"user:{user_id}"
