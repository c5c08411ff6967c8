"""Attacks between the steps: a session whose second factor is missing, and a first code guessed."""

from typing import Any

import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import Row, select
from starlette.websockets import WebSocketDisconnect

from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, security_events
from tests.accounts import PASSWORD
from tests.attacks.access.interface import (
    API,
    ORIGIN,
    Person,
    SetClock,
    compose,
    leaves,
    state_of,
    told_of,
)

MINUTE_MS = 60_000


def begun(person: Person, password: str = PASSWORD) -> pyotp.TOTP:
    """An authenticator app as it is just being set up."""
    answer = person.send("POST", f"{API}/account/totp", {"password": password})
    return pyotp.TOTP(answer.json()["secret"])


def confirm(person: Person, code: str) -> Any:
    return person.send("POST", f"{API}/account/totp/confirmation", {"code": code})


def events(storage: Storage, kind: SecurityKind) -> list[Row[Any]]:
    with storage.read() as conn:
        query = select(security_events).where(security_events.c.kind == kind.value)
        return list(conn.execute(query.order_by(security_events.c.id)))


def test_a_wrong_first_code_is_refused_and_recorded_and_sets_nothing_up(
    vera: Person, storage: Storage, clock: SetClock
) -> None:
    app = begun(vera)
    old = app.at(clock.time_ms // 1_000 - 600)
    before = state_of(storage)
    assert confirm(vera, old).status_code == 409
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.SIGN_IN_FAILED)
    assert (told.detail["step"], told.occurrences) == ("first code", 1)
    with storage.read() as conn:
        query = select(audit_leaves.c.subject).where(audit_leaves.c.kind == "security.event")
        assert conn.scalars(query).all() == [told.subject]
    assert vera.get(f"{API}/account").json()["totp"] is False
    assert confirm(vera, app.at(clock.time_ms // 1_000)).status_code == 200
    assert vera.get(f"{API}/account").json()["totp"] is True


def test_a_first_code_where_nothing_was_begun_is_refused_and_recorded(
    vera: Person, storage: Storage
) -> None:
    before = state_of(storage)
    assert confirm(vera, "123456").status_code == 409
    assert state_of(storage) == before
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1


def test_guessing_the_first_code_with_a_stolen_session_is_refused_and_locks_the_account(
    vera: Person, storage: Storage, clock: SetClock
) -> None:
    app = begun(vera)
    good = app.at(clock.time_ms // 1_000)
    wrong = app.at(clock.time_ms // 1_000 - 600)
    assert [confirm(vera, wrong).status_code for _ in range(5)] == [409] * 5
    before = state_of(storage)
    locked = confirm(vera, good)
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    assert state_of(storage) == before
    assert leaves(storage, "user.totp_set") == 0
    assert told_of(storage, SecurityKind.ACCOUNT_LOCKED) >= 1


def test_a_right_first_code_forgives_no_wrong_one(
    vera: Person, application: FastAPI, clock: SetClock
) -> None:
    app = begun(vera)
    wrong = app.at(clock.time_ms // 1_000 - 600)
    assert [confirm(vera, wrong).status_code for _ in range(4)] == [409] * 4
    assert confirm(vera, app.at(clock.time_ms // 1_000)).status_code == 200
    assert Person.at(application).sign_in("vera", "not the password").status_code == 401
    assert Person.at(application).sign_in("vera").status_code == 429


def test_a_session_whose_second_factor_was_not_shown_is_refused_and_counted_on_one_row(
    vera: Person, application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    app = begun(vera)
    assert confirm(vera, app.at(clock.time_ms // 1_000)).status_code == 200
    thief = Person.at(application)
    assert thief.sign_in("vera").json()["stage"] == "password"
    before = state_of(storage)
    for path in ("/sites", "/account", "/tokens"):
        assert thief.get(f"{API}{path}").status_code == 401
    assert thief.send("POST", f"{API}/users", {"name": "mallory"}).status_code == 401
    with (
        pytest.raises(WebSocketDisconnect),
        thief.client.websocket_connect(f"{API}/stream", headers={"Origin": ORIGIN}),
    ):
        pass
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.SESSION_REFUSED)
    assert (told.detail["reason"], told.occurrences) == ("second factor not shown", 5)
    assert told.subject.startswith("user:")


def test_a_page_opened_before_the_second_step_leads_back_to_it_and_is_no_attack(
    vera: Person, application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    app = begun(vera)
    confirm(vera, app.at(clock.time_ms // 1_000))
    clock.time_ms += MINUTE_MS
    person = Person.at(application)
    person.sign_in("vera")
    for path in ("/", "/account", "/security"):
        answer = person.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert person.give_code(app.at(clock.time_ms // 1_000)).status_code == 200
    assert events(storage, SecurityKind.SESSION_REFUSED) == []


@pytest.mark.usefixtures("application")
def test_a_session_that_must_set_a_second_factor_up_is_refused_all_else_and_recorded(
    storage: Storage, clock: SetClock
) -> None:
    required = compose(storage, clock, AccessConfig(second_factor="required"))
    person = Person.at(required)
    assert person.sign_in("vera").json()["stage"] == "enrolling"
    assert person.get(f"{API}/account").status_code == 200
    assert events(storage, SecurityKind.SESSION_REFUSED) == []
    before = state_of(storage)
    assert person.get(f"{API}/sites").status_code == 403
    assert person.send("POST", f"{API}/users", {"name": "mallory"}).status_code == 403
    assert state_of(storage) == before
    (told,) = events(storage, SecurityKind.SESSION_REFUSED)
    assert (told.detail["reason"], told.occurrences) == ("second factor not set up", 2)
    app = begun(person)
    added = confirm(person, app.at(clock.time_ms // 1_000))
    person.csrf = added.json()["csrf"]
    assert person.get(f"{API}/sites").status_code == 200
