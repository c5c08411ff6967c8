"""Attacks on the door: guessing, telling accounts apart, codes used twice, tokens stolen."""

import time
from typing import Any

import pyotp
import pytest
from fastapi import FastAPI

from controller.access import passwords
from controller.access.permissions import COMPANY, Grant, Permission, Role
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from tests.accounts import PASSWORD, enter_account
from tests.attacks.access.interface import (
    API,
    Person,
    SetClock,
    compose,
    leaves,
    state_of,
    told_of,
)
from tests.databases import counted_queries

WRONG = "not the right password"
MINUTE_MS = 60_000


def test_brute_force_on_an_account_is_refused_and_locks_it_also_for_the_right_password(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    attacker = Person.at(application)
    assert [attacker.sign_in("vera", WRONG).status_code for _ in range(5)] == [401] * 5
    locked = Person.at(application, "198.51.100.7").sign_in("vera")
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 5
    assert told_of(storage, SecurityKind.ACCOUNT_LOCKED) >= 1
    restarted = compose(storage, clock)
    assert Person.at(restarted).sign_in("vera").status_code == 429
    clock.time_ms += 15 * MINUTE_MS
    assert Person.at(restarted).sign_in("vera").status_code == 201


def test_an_administrator_unlocks_an_account(root: Person, application: FastAPI) -> None:
    attacker = Person.at(application)
    for _ in range(5):
        attacker.sign_in("vera", WRONG)
    (user,) = [u for u in root.get(f"{API}/users").json()["items"] if u["name"] == "vera"]
    assert user["locked"]
    assert root.send("POST", f"{API}/users/{user['id']}/unlock").status_code == 204
    assert attacker.sign_in("vera").status_code == 201


def test_brute_force_from_an_address_is_refused_over_all_accounts(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "matches", lambda _kept, _password: False)
    attacker = Person.at(application, "203.0.113.9")
    statuses = [attacker.sign_in(f"user-{n}", WRONG).status_code for n in range(31)]
    assert statuses == [401] * 30 + [429]
    assert Person.at(application, "203.0.113.10").sign_in("vera", WRONG).status_code == 401


def test_a_forwarded_address_of_a_stranger_is_not_believed(application: FastAPI) -> None:
    attacker = Person.at(application)
    for n in range(5):
        body = {"name": "vera", "password": WRONG}
        headers = {"X-Forwarded-For": f"198.51.100.{n}"}
        assert attacker.send("POST", f"{API}/sessions", body, headers).status_code == 401
    assert attacker.sign_in("vera").status_code == 429


def test_an_account_that_does_not_exist_is_told_from_no_other(application: FastAPI) -> None:
    shown = ("retry-after", "www-authenticate", "content-type")

    def told(name: str) -> list[tuple[int, str, list[str | None]]]:
        person = Person.at(application)
        answers = [person.sign_in(name, WRONG) for _ in range(6)]
        return [(a.status_code, a.text, [a.headers.get(h) for h in shown]) for a in answers]

    assert told("vera") == told("nobody-of-that-name") == told("Not Even A Name")


@pytest.mark.usefixtures("dear_passwords")
def test_an_account_that_does_not_exist_costs_the_same_work() -> None:
    kept = passwords.hash_password(PASSWORD)

    def best(of: str | None) -> float:
        def once() -> float:
            began = time.perf_counter()
            assert not passwords.matches(of, WRONG)
            return time.perf_counter() - began

        return min(once() for _ in range(5))

    assert 0.2 < best(None) / best(kept) < 5


def with_totp(application: FastAPI, clock: SetClock, name: str) -> tuple[pyotp.TOTP, list[str]]:
    """Sets an authenticator app up, as the page does."""
    person = Person.at(application)
    person.sign_in(name)
    begun = person.send("POST", f"{API}/account/totp", {"password": PASSWORD}).json()
    app = pyotp.TOTP(begun["secret"])
    code = {"code": app.at(clock.time_ms // 1_000)}
    added = person.send("POST", f"{API}/account/totp/confirmation", code)
    assert added.status_code == 200
    return app, added.json()["recovery_codes"]


def test_a_totp_code_that_was_used_is_refused(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    app, _ = with_totp(application, clock, "vera")
    clock.time_ms += 60_000
    code = app.at(clock.time_ms // 1_000)
    first, second = Person.at(application), Person.at(application)
    for person in (first, second):
        assert person.sign_in("vera").json()["stage"] == "password"
    assert first.give_code(code).status_code == 200
    assert second.give_code(code).status_code == 401
    assert second.get(f"{API}/sites").status_code == 401
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1


def test_an_old_totp_code_is_refused(application: FastAPI, clock: SetClock) -> None:
    app, _ = with_totp(application, clock, "vera")
    clock.time_ms += 10 * MINUTE_MS
    person = Person.at(application)
    person.sign_in("vera")
    assert person.give_code(app.at(clock.time_ms // 1_000 - 120)).status_code == 401
    assert person.give_code(app.at(clock.time_ms // 1_000)).status_code == 200


def test_guessing_codes_locks_the_account_however_often_the_password_is_given(
    application: FastAPI, clock: SetClock
) -> None:
    with_totp(application, clock, "vera")
    statuses = []
    for _ in range(3):
        person = Person.at(application)
        statuses.append(person.sign_in("vera").status_code)
        statuses += [person.give_code(f"00000{n}").status_code for n in range(2)]
    assert statuses.count(401) <= 5
    assert statuses[-1] == 429


def test_the_id_of_before_the_second_factor_opens_nothing_afterwards(
    application: FastAPI, clock: SetClock
) -> None:
    app, _ = with_totp(application, clock, "vera")
    clock.time_ms += MINUTE_MS
    person = Person.at(application)
    person.sign_in("vera")
    before = person.client.cookies["bes_session"]
    assert person.give_code(app.at(clock.time_ms // 1_000)).status_code == 200
    assert person.client.cookies["bes_session"] != before
    thief = Person.at(application)
    thief.client.cookies.set("bes_session", before, domain="testserver.local")
    assert thief.get(f"{API}/sites").status_code == 401


def test_a_recovery_code_works_once(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    _, codes = with_totp(application, clock, "vera")
    first, second = Person.at(application), Person.at(application)
    first.sign_in("vera")
    second.sign_in("vera")
    assert first.give_code(codes[0]).status_code == 200
    assert second.give_code(codes[0]).status_code == 401
    assert leaves(storage, "user.recovery_code_used") == 1


def make_token(person: Person, permissions: list[str]) -> Any:
    body = {"name": "a script", "permissions": permissions, "days": 1, "password": PASSWORD}
    return person.send("POST", f"{API}/tokens", body)


def with_bearer(application: FastAPI, token: str, path: str) -> int:
    client = Person.at(application).client
    return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_stolen_token_opens_nothing_after_it_was_ended(
    application: FastAPI, vera: Person, storage: Storage
) -> None:
    made = make_token(vera, ["fleet.read"]).json()
    assert with_bearer(application, made["token"], f"{API}/sites") == 200
    assert with_bearer(application, made["token"], f"{API}/events") == 403
    assert vera.send("DELETE", f"{API}/tokens/{made['id']}").status_code == 204
    assert with_bearer(application, made["token"], f"{API}/sites") == 401
    assert leaves(storage, "token.revoked") == 1


def test_a_late_token_opens_nothing(application: FastAPI, vera: Person, clock: SetClock) -> None:
    made = make_token(vera, ["fleet.read"]).json()
    clock.time_ms += 24 * 60 * MINUTE_MS
    assert with_bearer(application, made["token"], f"{API}/sites") == 401


def test_a_token_is_refused_more_than_its_owner_has(
    vera: Person, root: Person, storage: Storage
) -> None:
    before = state_of(storage)
    assert make_token(vera, ["users.change"]).status_code == 409
    assert make_token(root, ["approvals.decide"]).status_code == 409
    assert state_of(storage) == before


def test_a_token_loses_what_its_owner_loses(
    application: FastAPI, storage: Storage, clock: SetClock, root: Person
) -> None:
    user_id = enter_account(storage, clock, "olga", [Grant(Role.OPERATOR, COMPANY)], token="o" * 40)
    assert with_bearer(application, "o" * 40, f"{API}/sites") == 200
    (user,) = [u for u in root.get(f"{API}/users").json()["items"] if u["id"] == user_id]
    grant = user["grants"][0]["id"]
    assert root.send("DELETE", f"{API}/users/{user_id}/grants/{grant}").status_code == 204
    assert with_bearer(application, "o" * 40, f"{API}/sites") == 403


def test_a_token_changes_nothing_of_its_account_and_decides_no_approval(
    application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    enter_account(storage, clock, "olga", [Grant(Role.OPERATOR, COMPANY)], token="o" * 40)
    client = Person.at(application).client
    headers = {"Authorization": f"Bearer {'o' * 40}"}
    before = state_of(storage)
    wanted = {"name": "x", "permissions": [Permission.FLEET_READ], "password": PASSWORD}
    assert client.post(f"{API}/tokens", json=wanted, headers=headers).status_code == 403
    change = {"password": PASSWORD, "new_password": "another good long password"}
    assert client.put(f"{API}/account/password", json=change, headers=headers).status_code == 403
    path = f"{API}/approvals/1/passkey-options"
    assert client.post(path, headers=headers).status_code == 403
    assert state_of(storage) == before


def test_locks_of_many_accounts_are_read_in_one_query(
    root: Person, application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    attacker = Person.at(application)
    for _ in range(5):
        attacker.sign_in("vera", WRONG)
    with counted_queries(storage) as few:
        root.get(f"{API}/users")
    for number in range(20):
        enter_account(storage, clock, f"somebody-{number}")
    with counted_queries(storage) as many:
        listed = root.get(f"{API}/users").json()["items"]
    assert len(listed) == 22
    assert [user["name"] for user in listed if user["locked"]] == ["vera"]
    assert len(many) == len(few)
