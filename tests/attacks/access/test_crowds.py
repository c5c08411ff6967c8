"""Attacks by many at a time, and by a page that is left open."""

import threading

import pytest
from fastapi import FastAPI

from controller.access import passwords, throttle
from controller.access.throttle import Limit
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from tests.accounts import PASSWORD
from tests.attacks.access.interface import (
    API,
    ORIGIN,
    Person,
    SetClock,
    state_of,
    told_of,
)
from tests.attacks.access.test_half_way import begun, confirm

MINUTE_MS = 60_000
WRONG = "not the password"


def test_guessing_codes_while_the_right_password_is_given_is_refused_and_stays_locked(
    vera: Person,
    application: FastAPI,
    storage: Storage,
    clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = begun(vera)
    assert confirm(vera, app.at(clock.time_ms // 1_000)).status_code == 200
    clock.time_ms += 2 * MINUTE_MS
    thief, helper = Person.at(application), Person.at(application)
    assert thief.sign_in("vera").json()["stage"] == "password"
    judged, told = passwords.matches, list[int]()

    def meanwhile(kept: str | None, password: str) -> bool:
        told.extend(thief.give_code("000000").status_code for _ in range(5))
        return judged(kept, password)

    monkeypatch.setattr(passwords, "matches", meanwhile)
    assert helper.sign_in("vera").status_code == 201
    assert told == [401, 401, 401, 401, 429]
    assert told_of(storage, SecurityKind.ACCOUNT_LOCKED) == 1
    before = state_of(storage)
    assert thief.give_code(app.at(clock.time_ms // 1_000)).status_code == 429
    assert state_of(storage) == before


def test_guessing_passwords_while_the_owner_comes_in_is_refused_and_stays_locked(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, told = passwords.matches, list[int]()
    thief, owner = Person.at(application), Person.at(application)

    def meanwhile(kept: str | None, password: str) -> bool:
        if password == PASSWORD:
            told.extend(thief.sign_in("vera", WRONG).status_code for _ in range(5))
        return judged(kept, password)

    monkeypatch.setattr(passwords, "matches", meanwhile)
    assert owner.sign_in("vera").status_code == 201
    assert told == [401, 401, 401, 401, 429]
    assert Person.at(application).sign_in("vera").status_code == 429


def test_a_flood_of_passwords_is_refused_at_once_and_counts_against_nobody(
    application: FastAPI,
    vera: Person,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged, may_go = passwords.matches, threading.Event()
    arrived, slow_ones = threading.Semaphore(0), threading.Semaphore(8)

    def slow(kept: str | None, password: str) -> bool:
        if slow_ones.acquire(blocking=False):
            arrived.release()
            may_go.wait(60)
        return judged(kept, password)

    monkeypatch.setattr(passwords, "matches", slow)
    crowd = [
        threading.Thread(
            target=Person.at(application, f"192.0.2.{number}").sign_in, args=(f"nobody-{number}",)
        )
        for number in range(8)
    ]
    for one in crowd:
        one.start()
    try:
        assert all(arrived.acquire(timeout=60) for _ in crowd)
        before = state_of(storage)
        refused = [Person.at(application).sign_in("root") for _ in range(6)]
        assert [answer.status_code for answer in refused] == [429] * 6
        assert int(refused[0].headers["retry-after"]) == 2
        again = vera.send("POST", f"{API}/account/totp", {"password": PASSWORD})
        assert again.status_code == 429
        assert vera.get(f"{API}/sites").status_code == 200
        assert state_of(storage) == before
    finally:
        may_go.set()
        for one in crowd:
            one.join(60)
    assert Person.at(application).sign_in("root").status_code == 201


def test_guessing_from_the_many_addresses_of_one_network_is_refused(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Limit(failures=4, window_ms=MINUTE_MS, lock_ms=MINUTE_MS)
    monkeypatch.setattr(throttle, "ADDRESS", few)

    def guess(number: int, network: str = "2001:db8:0:1") -> int:
        person = Person.at(application, f"{network}::{number + 1:x}")
        return person.sign_in(f"somebody-{number}", WRONG).status_code

    assert [guess(number) for number in range(6)] == [401] * 4 + [429] * 2
    assert guess(6, network="2001:db8:0:2") == 401


def test_a_session_kept_open_by_its_page_alone_is_refused_when_its_idle_time_is_over(
    vera: Person, clock: SetClock
) -> None:
    clock.time_ms += 20 * MINUTE_MS
    with vera.client.websocket_connect(f"{API}/stream", headers={"Origin": ORIGIN}):
        pass
    clock.time_ms += 11 * MINUTE_MS
    assert vera.get(f"{API}/sites").status_code == 401
