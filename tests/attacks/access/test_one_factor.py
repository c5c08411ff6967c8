"""Attacks with a password alone, where a second factor is required: the default."""

import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from controller.access.opaque import digest
from controller.access.session_life import Stage
from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import api_tokens, users
from tests.accounts import PASSWORD
from tests.attacks.access.interface import (
    API,
    Person,
    SetClock,
    admitted,
    compose,
    leaves,
    state_of,
    told_of,
)
from tests.attacks.access.test_half_way import begun, confirm

MINUTE_MS = 60_000
WANTED_TOKEN = {
    "name": "for later",
    "permissions": ["users.change"],
    "days": 366,
    "password": PASSWORD,
}


@pytest.fixture
def required(application: FastAPI, storage: Storage, clock: SetClock) -> FastAPI:
    """The interface as it is configured by default, with the people of `application`."""
    return compose(storage, clock, AccessConfig())


def signed_in(required: FastAPI) -> Person:
    """Root's browser, or that of whoever knows his password; no factor is set up yet."""
    person = Person.at(required)
    assert person.sign_in("root").json()["stage"] == "enrolling"
    return person


def whole(person: Person, clock: SetClock) -> pyotp.TOTP:
    """Sets up an authenticator app, which makes the session whole."""
    app = begun(person)
    added = confirm(person, app.at(clock.time_ms // 1_000))
    assert added.status_code == 200, added.text
    person.csrf = added.json()["csrf"]
    return app


def test_a_token_wanted_with_the_password_alone_is_refused_and_recorded(
    required: FastAPI, storage: Storage
) -> None:
    thief = signed_in(required)
    before = state_of(storage)
    assert thief.send("POST", f"{API}/tokens", WANTED_TOKEN).status_code == 403
    assert thief.get(f"{API}/tokens").status_code == 403
    assert thief.get(f"{API}/sessions").status_code == 403
    assert thief.send("DELETE", f"{API}/sessions").status_code == 403
    assert state_of(storage) == before
    assert leaves(storage, "token.created") == 0
    assert told_of(storage, SecurityKind.SESSION_REFUSED) == 4


def test_a_session_of_before_the_owner_s_second_factor_is_refused_to_replace_it_and_recorded(
    required: FastAPI, storage: Storage, clock: SetClock
) -> None:
    thief, owner = signed_in(required), signed_in(required)
    app = whole(owner, clock)
    clock.time_ms += 20 * MINUTE_MS
    before = state_of(storage)
    body = {"password": PASSWORD}
    assert thief.send("POST", f"{API}/account/totp", body).status_code == 401
    assert thief.send("POST", f"{API}/account/passkeys/options", body).status_code == 401
    assert state_of(storage) == before
    assert told_of(storage, SecurityKind.SESSION_REFUSED) == 2
    again = Person.at(required)
    assert again.sign_in("root").json()["stage"] == "password"
    assert again.give_code(app.at(clock.time_ms // 1_000)).status_code == 200


def test_a_session_still_to_set_a_factor_up_is_refused_once_there_is_one_however_it_was_left_over(
    required: FastAPI, storage: Storage, clock: SetClock
) -> None:
    owner = signed_in(required)
    whole(owner, clock)
    user_id = owner.get(f"{API}/account").json()["id"]
    left = admitted(required, storage, clock, user_id, Stage.ENROLLING)
    assert left.get(f"{API}/account").status_code == 401
    before = state_of(storage)
    begin = left.send("POST", f"{API}/account/totp", {"password": PASSWORD})
    assert begin.status_code == 401
    assert state_of(storage) == before
    assert told_of(storage, SecurityKind.SESSION_REFUSED) == 1
    assert owner.get(f"{API}/users").status_code == 200


def test_a_factor_begun_before_the_owner_s_is_refused_afterwards(
    required: FastAPI, storage: Storage, clock: SetClock
) -> None:
    thief, owner = signed_in(required), signed_in(required)
    theirs = begun(thief)
    app = whole(owner, clock)
    before = state_of(storage)
    assert confirm(thief, theirs.at(clock.time_ms // 1_000)).status_code == 401
    assert thief.get(f"{API}/account").status_code == 401
    assert state_of(storage) == before
    assert owner.get(f"{API}/users").status_code == 200
    with storage.read() as conn:
        kept = conn.scalar(select(users.c.totp_secret).where(users.c.name == "root"))
    assert kept == app.secret


@pytest.mark.usefixtures("required")
def test_a_full_session_of_somebody_else_is_refused_once_its_owner_has_a_second_factor(
    application: FastAPI, clock: SetClock
) -> None:
    thief, owner = Person.at(application), Person.at(application)
    assert thief.sign_in("root").json()["stage"] == owner.sign_in("root").json()["stage"] == "full"
    assert thief.get(f"{API}/users").status_code == 200
    app = begun(owner)
    assert confirm(owner, app.at(clock.time_ms // 1_000)).status_code == 200
    assert thief.get(f"{API}/users").status_code == 401
    assert owner.get(f"{API}/users").status_code == 200


@pytest.mark.parametrize("how", ["a new password", "a reset of the factors"])
def test_a_token_made_by_a_thief_is_refused_after_the_account_was_taken_back(
    root: Person, vera: Person, storage: Storage, clock: SetClock, how: str
) -> None:
    vera_id = vera.get(f"{API}/account").json()["id"]
    with storage.write() as conn:
        made = {"prefix": "t" * 4, "secret_sha256": digest("t" * 40), "permissions": ["fleet.read"]}
        stamps = {"created_real_ms": clock.time_ms, "expires_real_ms": clock.time_ms + MINUTE_MS}
        conn.execute(insert(api_tokens).values(user_id=vera_id, name="t", **made, **stamps))
    thief = Person.at(vera.client.app)  # type: ignore[arg-type]  # starlette: any ASGI application
    thief.client.headers["Authorization"] = f"Bearer {'t' * 40}"
    assert thief.get(f"{API}/sites").status_code == 200
    if how == "a new password":
        change = {"password": PASSWORD, "new_password": "another good long password"}
        assert vera.send("PUT", f"{API}/account/password", change).status_code == 204
    else:
        assert root.send("POST", f"{API}/users/{vera_id}/factor-reset").status_code == 204
    assert thief.get(f"{API}/sites").status_code == 401
    assert told_of(storage, SecurityKind.TOKEN_REFUSED) == 1
