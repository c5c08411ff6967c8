"""Attacks on sessions: fixation, forgery by another site, theft, what outlives a change."""

import pytest
from fastapi import FastAPI

from controller.storage.engine import Storage
from tests.accounts import PASSWORD
from tests.attacks.access.interface import (
    API,
    ORIGIN,
    Person,
    SetClock,
    state_of,
)

MINUTE_MS = 60_000
NEW_USER = {"name": "mallory", "display_name": "M", "kind": "service"}


def cookie(person: Person) -> str:
    return str(person.client.cookies["bes_session"])


def test_session_fixation_is_refused_an_id_that_was_planted_is_never_taken(
    application: FastAPI,
) -> None:
    victim = Person.at(application)
    victim.client.cookies.set("bes_session", "planted" * 6, domain="testserver.local")
    answer = victim.sign_in("root")
    assert answer.status_code == 201
    assert "planted" not in answer.headers["set-cookie"]
    attacker = Person.at(application)
    attacker.client.cookies.set("bes_session", "planted" * 6, domain="testserver.local")
    assert attacker.get(f"{API}/users").status_code == 401


def test_session_fixation_is_refused_an_attackers_own_session_does_not_become_the_victims(
    application: FastAPI, vera: Person
) -> None:
    planted = cookie(vera)
    victim = Person.at(application)
    victim.client.cookies.set("bes_session", planted, domain="testserver.local")
    assert victim.sign_in("root").status_code == 201
    assert vera.get(f"{API}/users").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "x" * 43},
    ],
)
def test_a_change_forged_by_another_site_is_refused_and_changes_nothing(
    root: Person, storage: Storage, headers: dict[str, str]
) -> None:
    before = state_of(storage)
    answer = root.send("POST", f"{API}/users", NEW_USER, headers)
    assert answer.status_code == 403
    assert state_of(storage) == before


def test_a_change_without_origin_or_token_is_refused(root: Person, storage: Storage) -> None:
    before = state_of(storage)
    assert root.client.post(f"{API}/users", json=NEW_USER).status_code == 403
    with_token = {"X-CSRF-Token": root.csrf}
    answer = root.client.post(f"{API}/users", json=NEW_USER, headers=with_token)
    assert answer.status_code == 403
    assert state_of(storage) == before


def test_a_csrf_token_of_another_session_is_refused(root: Person, vera: Person) -> None:
    answer = root.send("POST", f"{API}/users", NEW_USER, {"X-CSRF-Token": vera.csrf})
    assert answer.status_code == 403


def test_signing_in_from_another_site_is_refused(application: FastAPI, storage: Storage) -> None:
    person = Person.at(application)
    before = state_of(storage)
    body = {"name": "root", "password": PASSWORD}
    answer = person.send("POST", f"{API}/sessions", body, {"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert state_of(storage) == before


def test_a_session_that_was_ended_opens_nothing(root: Person, application: FastAPI) -> None:
    thief = Person.at(application)
    thief.client.cookies.set("bes_session", cookie(root), domain="testserver.local")
    assert thief.get(f"{API}/users").status_code == 200
    assert root.send("DELETE", f"{API}/sessions/current").status_code == 204
    assert thief.get(f"{API}/users").status_code == 401


def test_a_new_password_ends_every_session(root: Person, application: FastAPI) -> None:
    other = Person.at(application)
    assert other.sign_in("root").status_code == 201
    change = {"password": PASSWORD, "new_password": "another good long password"}
    assert root.send("PUT", f"{API}/account/password", change).status_code == 204
    assert other.get(f"{API}/users").status_code == 401
    assert root.get(f"{API}/users").status_code == 401
    assert root.sign_in("root").status_code == 401
    assert root.sign_in("root", "another good long password").status_code == 201


def test_a_changed_role_ends_every_session_of_the_account(root: Person, vera: Person) -> None:
    (user,) = [u for u in root.get(f"{API}/users").json()["items"] if u["name"] == "vera"]
    path = f"{API}/users/{user['id']}/grants/{user['grants'][0]['id']}"
    assert root.send("DELETE", path).status_code == 204
    assert vera.get(f"{API}/sites").status_code == 401


def test_a_disabled_account_s_session_opens_nothing(root: Person, vera: Person) -> None:
    (user,) = [u for u in root.get(f"{API}/users").json()["items"] if u["name"] == "vera"]
    answer = root.send("PATCH", f"{API}/users/{user['id']}", {"disabled": True})
    assert answer.json()["disabled"]
    assert vera.get(f"{API}/sites").status_code == 401
    assert vera.sign_in("vera").status_code == 401


def test_a_session_that_nobody_used_or_that_is_old_opens_nothing(
    vera: Person, clock: SetClock
) -> None:
    clock.time_ms += 29 * MINUTE_MS
    assert vera.get(f"{API}/sites").status_code == 200
    clock.time_ms += 31 * MINUTE_MS
    assert vera.get(f"{API}/sites").status_code == 401


def test_a_session_gets_a_new_id_in_time_and_the_old_one_opens_nothing_soon(
    vera: Person, application: FastAPI, clock: SetClock
) -> None:
    old = cookie(vera)
    clock.time_ms += 16 * MINUTE_MS
    assert vera.get(f"{API}/sites").status_code == 200
    assert cookie(vera) != old
    thief = Person.at(application)
    thief.client.cookies.set("bes_session", old, domain="testserver.local")
    clock.time_ms += 2 * MINUTE_MS
    assert thief.get(f"{API}/sites").status_code == 401
    assert vera.get(f"{API}/sites").status_code == 200


def test_the_cookie_of_a_page_over_tls_is_bound_to_host_and_tls(
    application: FastAPI,
) -> None:
    person = Person.at(application)
    person.client.base_url = "https://testserver"
    body = {"name": "vera", "password": PASSWORD}
    answer = person.send("POST", f"{API}/sessions", body, {"Origin": "https://testserver"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-bes_session=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {
        part.strip().lower() for part in cookie.split(";")
    }
    assert "domain" not in cookie.lower()
    assert "strict-transport-security" in answer.headers


def test_the_last_administrator_cannot_be_taken_away(root: Person, storage: Storage) -> None:
    (user,) = [u for u in root.get(f"{API}/users").json()["items"] if u["name"] == "root"]
    before = state_of(storage)
    path = f"{API}/users/{user['id']}"
    assert root.send("PATCH", path, {"disabled": True}).status_code == 409
    grant = user["grants"][0]["id"]
    assert root.send("DELETE", f"{path}/grants/{grant}").status_code == 409
    assert state_of(storage) == before


def test_the_origin_is_the_one_configured(application: FastAPI) -> None:
    assert ORIGIN.startswith("http://")
    person = Person.at(application)
    body = {"name": "vera", "password": PASSWORD}
    headers = {"Origin": "http://other-host", "Host": "testserver"}
    assert person.send("POST", f"{API}/sessions", body, headers).status_code == 403
