"""The interface over a fresh database of each kind, with an administrator and a viewer."""

import pytest
from fastapi import FastAPI

from controller.access.permissions import COMPANY, Grant, Role
from controller.storage.engine import Storage
from tests.accounts import PASSWORD, enter_account
from tests.attacks.access.interface import Person, SetClock, compose


@pytest.fixture
def clock() -> SetClock:
    """Stands still until a test moves it."""
    return SetClock()


@pytest.fixture
def application(storage: Storage, clock: SetClock) -> FastAPI:
    """The interface, with "root", who administers, and "vera", who views."""
    everywhere = {"root": Role.ADMINISTRATOR, "vera": Role.VIEWER}
    for name, role in everywhere.items():
        enter_account(storage, clock, name, [Grant(role, COMPANY)], password=PASSWORD)
    return compose(storage, clock)


@pytest.fixture
def root(application: FastAPI) -> Person:
    """The administrator, signed in."""
    person = Person.at(application)
    assert person.sign_in("root").status_code == 201
    return person


@pytest.fixture
def vera(application: FastAPI) -> Person:
    """The viewer, signed in."""
    person = Person.at(application)
    assert person.sign_in("vera").status_code == 201
    return person
