"""Attacks by one administrator: to be left alone, and to become somebody else."""

import threading
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Row, select

from controller.access import people
from controller.access.permissions import COMPANY, Grant, Role
from controller.config import AccessConfig
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.tables import role_grants, security_events, users
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
from tests.attacks.access.test_half_way import begun, confirm

DAY_MS = 86_400_000
FIRST = "the first password of bert"
OWN = "a password of bert's own"


@pytest.fixture
def bert(application: FastAPI, storage: Storage, clock: SetClock) -> int:
    """The account of a second administrator."""
    grants = [Grant(Role.ADMINISTRATOR, COMPANY)]
    return enter_account(storage, clock, "bert", grants, password=PASSWORD)


def refusals(storage: Storage) -> list[Row[Any]]:
    with storage.read() as conn:
        kind = SecurityKind.GRANT_REFUSED.value
        return list(conn.execute(select(security_events).where(security_events.c.kind == kind)))


def grant_of(storage: Storage, user_id: int) -> int:
    with storage.read() as conn:
        query = select(role_grants.c.id).where(role_grants.c.user_id == user_id)
        return int(conn.scalars(query).one())


def test_an_administrator_who_takes_the_other_one_away_is_refused_and_recorded(
    root: Person, bert: int, storage: Storage
) -> None:
    before = state_of(storage)
    path = f"{API}/users/{bert}"
    assert root.send("PATCH", path, {"disabled": True}).status_code == 409
    answer = root.send("DELETE", f"{path}/grants/{grant_of(storage, bert)}")
    assert answer.status_code == 409
    assert "controller's host" in answer.json()["detail"]
    assert state_of(storage) == before
    (told,) = refusals(storage)
    assert (told.subject, told.occurrences) == (f"user:{bert}", 2)
    assert told.detail["reason"] == "an administrator, alone"


def test_an_administrator_steps_down_by_himself(root: Person, bert: int, storage: Storage) -> None:
    own = root.get(f"{API}/account").json()["id"]
    path = f"{API}/users/{own}/grants/{grant_of(storage, own)}"
    assert root.send("DELETE", path).status_code == 204
    with storage.read() as conn:
        assert people.administrators(conn) == [bert]
    assert refusals(storage) == []


@pytest.mark.usefixtures("bert")
@pytest.mark.parametrize("role", ["operator", "treasurer", "compliance_officer", "administrator"])
def test_a_puppet_that_would_ask_for_approvals_or_decide_on_them_is_refused_the_role_alone(
    root: Person, storage: Storage, clock: SetClock, role: str
) -> None:
    puppet = enter_account(storage, clock, "puppet")
    answer = root.send(
        "POST", f"{API}/users/{puppet}/grants", {"role": role, "scope": "site:site-a"}
    )
    assert answer.status_code == 202
    with storage.read() as conn:
        assert not conn.scalars(
            select(role_grants.c.id).where(role_grants.c.user_id == puppet)
        ).all()


def test_a_reset_of_the_factors_of_who_decides_is_refused_and_recorded(
    root: Person, bert: int, storage: Storage
) -> None:
    before = state_of(storage)
    assert root.send("POST", f"{API}/users/{bert}/factor-reset").status_code == 409
    assert state_of(storage) == before
    (told,) = refusals(storage)
    assert told.detail["reason"] == "factors of a privileged account"
    assert leaves(storage, "user.factors_reset") == 0


def added(root: Person, role: str | None = None) -> int:
    """Bert's account with a first password that root has chosen."""
    new = {"name": "bert", "display_name": "Bert", "kind": "person", "password": FIRST}
    user_id: int = root.send("POST", f"{API}/users", new).json()["id"]
    if role is not None:
        wanted = {"role": role, "scope": "company"}
        assert root.send("POST", f"{API}/users/{user_id}/grants", wanted).status_code == 201
    return user_id


@pytest.mark.parametrize("second_factor", ["required", "when_enrolled"])
def test_a_first_password_used_for_anything_but_its_change_is_refused_and_recorded(
    root: Person, storage: Storage, clock: SetClock, second_factor: Any
) -> None:
    added(root, "administrator")
    application = compose(storage, clock, AccessConfig(second_factor=second_factor))
    person = Person.at(application)
    assert person.sign_in("bert", FIRST).status_code == 201
    before = state_of(storage)
    assert person.get(f"{API}/users").status_code == 403
    begin = person.send("POST", f"{API}/account/totp", {"password": FIRST})
    assert begin.status_code == 403
    token = {"name": "t", "permissions": ["users.change"], "days": 1, "password": FIRST}
    assert person.send("POST", f"{API}/tokens", token).status_code == 403
    same = {"password": FIRST, "new_password": FIRST}
    assert person.send("PUT", f"{API}/account/password", same).status_code == 409
    assert state_of(storage) == before
    assert told_of(storage, SecurityKind.SESSION_REFUSED) == 3
    assert person.get(f"{API}/account").json()["has_first_password"] is True
    assert person.get(f"{API}/sessions/current").json()["permissions"] == {}
    page = person.get("/")
    assert (page.status_code, page.headers["location"]) == (303, "/account")
    assert person.get("/account").status_code == 200


def test_an_administrator_who_chose_a_first_password_is_refused_once_its_owner_has_changed_it(
    root: Person, storage: Storage, clock: SetClock
) -> None:
    added(root, "viewer")
    required = compose(storage, clock, AccessConfig(second_factor="required"))
    bert, other = Person.at(required), Person.at(required)
    assert bert.sign_in("bert", FIRST).status_code == other.sign_in("bert", FIRST).status_code
    change = {"password": FIRST, "new_password": OWN}
    assert bert.send("PUT", f"{API}/account/password", change).status_code == 204
    assert other.get(f"{API}/account").status_code == 401
    assert other.sign_in("bert", FIRST).status_code == 401
    assert bert.sign_in("bert", OWN).json()["stage"] == "enrolling"
    app = begun(bert, OWN)
    bert.csrf = confirm(bert, app.at(clock.time_ms // 1_000)).json()["csrf"]
    assert bert.get(f"{API}/sites").status_code == 200
    with storage.read() as conn:
        query = select(users.c.first_password_until_real_ms).where(users.c.name == "bert")
        assert conn.scalar(query) is None


def test_a_first_password_that_is_three_days_old_is_refused_and_recorded(
    root: Person, application: FastAPI, storage: Storage, clock: SetClock
) -> None:
    added(root)
    clock.time_ms += 3 * DAY_MS
    before = state_of(storage)
    assert Person.at(application).sign_in("bert", FIRST).status_code == 401
    assert state_of(storage) == before
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1


@pytest.mark.parametrize("how", ["disabled", "revoked"])
def test_two_administrators_who_take_each_other_away_at_once_are_refused_the_second_time(
    storage: Storage, clock: SetClock, how: str
) -> None:
    administrator = [Grant(Role.ADMINISTRATOR, COMPANY)]
    anna, bert = (
        enter_account(storage, clock, name, administrator, password=PASSWORD)
        for name in ("anna", "bert")
    )
    grants = {user_id: grant_of(storage, user_id) for user_id in (anna, bert)}
    refused = list[ConflictError]()
    first_is_done, second_is_done = threading.Event(), threading.Event()

    def take_away(user_id: int) -> None:
        by = f"user:{anna + bert - user_id}"
        with storage.write() as conn:
            if how == "disabled":
                people.set_disabled(conn, clock, user_id, by, disabled=True)
            else:
                people.revoke(conn, clock, user_id, grants[user_id], by)
            if user_id == anna:
                first_is_done.set()
                second_is_done.wait(0.5)  # where nothing holds the other up, it commits meanwhile

    def second() -> None:
        first_is_done.wait(30)
        try:
            take_away(bert)
        except ConflictError as error:
            refused.append(error)
        second_is_done.set()

    other = threading.Thread(target=second)
    other.start()
    take_away(anna)
    other.join(60)
    assert len(refused) == 1
    with storage.read() as conn:
        assert people.administrators(conn) == [bert]
