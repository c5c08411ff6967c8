"""Every route with every role: in where the table of permissions says so, and nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert

from controller.access.opaque import digest
from controller.access.permissions import (
    COMPANY,
    MEANINGS,
    ROLES,
    Grant,
    Permission,
    Role,
    ScopeKind,
    site_scope,
)
from controller.access.session_life import Stage
from controller.api.guard import Lack
from controller.api.v1 import router as api_router
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import api_tokens
from controller.web.routes import router as web_router
from tests.accounts import EVERY_ROLE, enter_account
from tests.attacks.access.interface import (
    NOW_MS,
    Person,
    SetClock,
    admitted,
    compose,
    state_of,
    told_of,
)
from tests.databases import KINDS, fresh_database
from tests.routes import Guarded, guarded_routes

UNGUARDED_STATUS = {401, 403}


def is_unconfigured(answer: httpx.Response) -> bool:
    """503 where the composition of these tests leaves the part out, as the route tells."""
    return answer.status_code == 503 and "this controller has no" in answer.json()["detail"]


def every_route() -> list[Guarded]:
    application = FastAPI(docs_url=None, redoc_url=None)
    application.include_router(api_router)
    application.include_router(web_router)
    return guarded_routes(application)


ROUTES = every_route()
GUARDED = [route for route in ROUTES if route.needs and route.method != "WEBSOCKET"]


@dataclass(frozen=True, slots=True)
class Company:
    """A database with one account for each role, somebody without any, and one with all."""

    storage: Storage
    application: FastAPI
    clock: SetClock
    accounts: dict[Role | None, int]
    everything: int

    def program(self, token: str) -> Person:
        """Somebody with an API token, no session."""
        person = Person.at(self.application)
        person.client.headers["Authorization"] = f"Bearer {token}"
        return person

    def person(self, role: Role | None) -> Person:
        """Somebody with the role, in a fresh session."""
        return admitted(self.application, self.storage, self.clock, self.accounts[role])


@pytest.fixture(scope="module", params=KINDS)
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    """Made once on each kind of database: what is refused changes nothing, so that the next route
    finds the same."""
    with fresh_database(request, tmp_path_factory.mktemp("company")) as url:
        storage = Storage(url)
        yield populated(storage)
        storage.close()


def populated(storage: Storage) -> Company:
    """The company with its accounts."""
    clock = SetClock()
    enter_account(storage, clock, "bystander")
    accounts: dict[Role | None, int] = {
        None: enter_account(storage, clock, "nobody", token=token_of(None))
    }
    for role in Role:
        name = role.value.replace("_", "-")
        token = token_of(role)
        accounts[role] = enter_account(storage, clock, name, [Grant(role, COMPANY)], token=token)
    everything = enter_account(storage, clock, "everything", EVERY_ROLE)
    with storage.write() as conn:
        conn.execute(insert(api_tokens), [_all_but(left, everything) for left in Permission])
    return Company(storage, compose(storage, clock), clock, accounts, everything)


def token_of(role: Role | None) -> str:
    """The token, for all that its owner may, of the account with a role."""
    return f"token-of-{role}".ljust(40, "-")


def all_but(left_out: Permission) -> str:
    """The token of an account that may everything, made for all but one permission."""
    return f"all-but-{left_out.value}".ljust(40, "-")


def _all_but(left_out: Permission, user_id: int) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": all_but(left_out),
        "prefix": "all-",
        "secret_sha256": digest(all_but(left_out)),
        "permissions": sorted(set(Permission) - {left_out}),
        "created_real_ms": NOW_MS,
    }


def test_every_route_declares_one_permission_or_why_it_needs_none() -> None:
    assert len(ROUTES) > 60
    bad = [str(route) for route in ROUTES if len(route.needs) + route.is_open != 1]
    assert bad == []


def test_what_changes_something_is_not_open_but_for_signing_in_and_enrolling() -> None:
    changing = {"POST", "PUT", "PATCH", "DELETE"}
    opened = {route.path for route in ROUTES if route.is_open and route.method in changing}
    assert all(path.startswith(("/api/v1/sessions", "/api/v1/enrolment/")) for path in opened)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_role_without_the_permission_is_refused_at_the_route(
    company: Company, route: Guarded
) -> None:
    (permission,) = route.needs
    refused = [role for role in Role if permission not in ROLES[role]]
    people = [company.person(role) for role in [None, *refused]]
    before, told = state_of(company.storage), told_of(company.storage, SecurityKind.ACCESS_REFUSED)
    for person in people:
        answer = person.send(route.method, route.path)
        assert answer.status_code == 403, (route, answer.text)
        assert permission.value in answer.json()["detail"]
    assert state_of(company.storage) == before
    again = told_of(company.storage, SecurityKind.ACCESS_REFUSED)
    assert again == told + len(people)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_role_with_the_permission_comes_through_to_the_route(
    company: Company, route: Guarded
) -> None:
    (permission,) = route.needs
    for role in [role for role in Role if permission in ROLES[role]]:
        answer = company.person(role).send(route.method, route.path)
        assert answer.status_code not in UNGUARDED_STATUS, (role, answer.text)
        assert answer.status_code < 500 or is_unconfigured(answer), (role, answer.text)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_token_whose_owner_or_purpose_lacks_the_permission_is_refused_at_the_route(
    company: Company, route: Guarded
) -> None:
    (permission,) = route.needs
    refused = [role for role in Role if permission not in ROLES[role]]
    tokens = [all_but(permission), *(token_of(role) for role in [None, *refused])]
    before, told = state_of(company.storage), told_of(company.storage, SecurityKind.ACCESS_REFUSED)
    for token in tokens:
        answer = company.program(token).send(route.method, route.path)
        assert answer.status_code == 403, (token, answer.text)
        assert permission.value in answer.json()["detail"]
    assert state_of(company.storage) == before
    again = told_of(company.storage, SecurityKind.ACCESS_REFUSED)
    assert again == told + len(tokens)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_token_with_the_permission_comes_through_but_not_where_a_person_is_needed(
    company: Company, route: Guarded
) -> None:
    (permission,) = route.needs
    for_people = route.in_session or permission is Permission.APPROVALS_DECIDE
    for role in [role for role in Role if permission in ROLES[role]]:
        before = state_of(company.storage) if for_people else None
        answer = company.program(token_of(role)).send(route.method, route.path)
        if for_people:
            assert answer.status_code == 403, (role, answer.text)
            assert state_of(company.storage) == before
        else:
            assert answer.status_code not in UNGUARDED_STATUS, (role, answer.text)
            assert answer.status_code < 500 or is_unconfigured(answer), (role, answer.text)


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_stranger_is_refused_at_the_route(company: Company, route: Guarded) -> None:
    before = state_of(company.storage)
    answer = Person.at(company.application).send(route.method, route.path)
    if route.path.startswith("/api/"):
        assert answer.status_code == 401
    else:
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert state_of(company.storage) == before


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_a_session_without_its_second_factor_is_refused_at_the_route(
    company: Company, route: Guarded
) -> None:
    half_way = [(Stage.PASSWORD, 401, "/sign-in")]
    if Lack.FACTOR not in route.even_without:
        half_way.append((Stage.ENROLLING, 403, "/account"))
    for stage, status, place in half_way:
        person = admitted(
            company.application, company.storage, company.clock, company.everything, stage
        )
        before = state_of(company.storage)
        told = told_of(company.storage, SecurityKind.SESSION_REFUSED)
        answer = person.send(route.method, route.path)
        if route.path.startswith("/api/"):
            assert answer.status_code == status
            told += 1
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, place)
        assert state_of(company.storage) == before
        assert told_of(company.storage, SecurityKind.SESSION_REFUSED) == told


FOR_THE_COMPANY = [
    permission
    for permission in Permission
    if MEANINGS[permission].scopes == {ScopeKind.COMPANY}
    and any(permission in route.needs for route in GUARDED)
]


@pytest.mark.parametrize("permission", FOR_THE_COMPANY)
def test_a_permission_for_the_company_is_not_had_by_a_role_on_a_site(
    company: Company, permission: Permission
) -> None:
    role = next(role for role in Role if permission in ROLES[role])
    name = f"{permission.value.replace('.', '-')}-on-a-site"
    user_id = enter_account(
        company.storage, company.clock, name, [Grant(role, site_scope("site-a"))]
    )
    person = admitted(company.application, company.storage, company.clock, user_id)
    for route in [route for route in GUARDED if permission in route.needs]:
        assert person.send(route.method, route.path).status_code == 403
