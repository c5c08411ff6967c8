"""What a stolen database gives of second factors, with and without the key of its secrets."""

import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from controller.access.factor_seal import FactorSeal
from controller.storage.engine import Storage
from controller.storage.tables import users
from tests.accounts import PASSWORD
from tests.attacks.access.interface import API, Person, SetClock, compose

MINUTE_MS = 60_000


@pytest.fixture
def sealed(storage: Storage, clock: SetClock, application: FastAPI) -> FastAPI:
    """The interface over the database of `application`, with a key."""
    return compose(storage, clock, seal=FactorSeal(bytes(range(32))))


def begin(application: FastAPI, name: str) -> tuple[Person, pyotp.TOTP]:
    """Asks for an authenticator app's secret."""
    person = Person.at(application)
    person.sign_in(name)
    begun = person.send("POST", f"{API}/account/totp", {"password": PASSWORD}).json()
    return person, pyotp.TOTP(begun["secret"])


def set_up(application: FastAPI, clock: SetClock, name: str) -> pyotp.TOTP:
    """Sets an authenticator app up, as the page does."""
    person, app = begin(application, name)
    code = {"code": app.at(clock.time_ms // 1_000)}
    assert person.send("POST", f"{API}/account/totp/confirmation", code).status_code == 200
    clock.time_ms += MINUTE_MS
    return app


def enter(application: FastAPI, clock: SetClock, app: pyotp.TOTP, name: str = "vera") -> int:
    """Both steps; the status of the second."""
    person = Person.at(application)
    assert person.sign_in(name).json()["stage"] == "password"
    status = person.give_code(app.at(clock.time_ms // 1_000)).status_code
    clock.time_ms += MINUTE_MS
    return status


def kept(storage: Storage, name: str) -> tuple[str | None, str | None]:
    """The secret in use and the one that waits to be confirmed, as they are stored."""
    with storage.read() as conn:
        query = select(users.c.totp_secret, users.c.totp_pending).where(users.c.name == name)
        row = conn.execute(query).one()
    return row.totp_secret, row.totp_pending


def test_a_stolen_database_gives_no_second_factor_where_a_key_is_configured(
    sealed: FastAPI, storage: Storage, clock: SetClock
) -> None:
    _, waiting = begin(sealed, "root")
    app = set_up(sealed, clock, "vera")
    stored = [*kept(storage, "root"), *kept(storage, "vera")]
    assert [one is None for one in stored] == [True, False, False, True]
    assert not any(secret in str(stored) for secret in (app.secret, waiting.secret))
    assert enter(sealed, clock, app) == 200


def test_a_secret_moved_to_another_account_is_refused(
    sealed: FastAPI, storage: Storage, clock: SetClock
) -> None:
    app = set_up(sealed, clock, "vera")
    set_up(sealed, clock, "root")
    with storage.write() as conn:
        moved = update(users).where(users.c.name == "root")
        conn.execute(moved.values(totp_secret=kept(storage, "vera")[0]))
    assert enter(sealed, clock, app, "root") == 401
    assert enter(sealed, clock, app, "vera") == 200


def test_a_secret_of_before_there_was_a_key_is_sealed_by_its_next_use(
    application: FastAPI, sealed: FastAPI, storage: Storage, clock: SetClock
) -> None:
    app = set_up(application, clock, "vera")
    assert kept(storage, "vera")[0] == app.secret
    assert enter(sealed, clock, app) == 200
    assert app.secret not in str(kept(storage, "vera"))
    assert enter(sealed, clock, app) == 200


def test_without_the_right_key_a_code_is_refused_and_a_recovery_code_still_lets_in(
    application: FastAPI, sealed: FastAPI, storage: Storage, clock: SetClock
) -> None:
    person, app = begin(sealed, "vera")
    code = {"code": app.at(clock.time_ms // 1_000)}
    added = person.send("POST", f"{API}/account/totp/confirmation", code).json()
    clock.time_ms += MINUTE_MS
    other = compose(storage, clock, seal=FactorSeal(bytes(32)))
    assert enter(other, clock, app) == 401
    assert enter(application, clock, app) == 401
    saved = Person.at(other)
    saved.sign_in("vera")
    assert saved.give_code(added["recovery_codes"][0]).status_code == 200
