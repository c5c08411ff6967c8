"""Attacks by many at a time, and by a page that is left open."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI

from controller.access import passwords, people, places, throttle
from controller.access.desk import AccessDesk
from controller.access.places import STRANGERS, SUSPECTS, PlaceQueue, Queues
from controller.access.throttle import Limit
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from tests.accounts import PASSWORD
from tests.attacks.access.interface import (
    API,
    ORIGIN,
    Person,
    SetClock,
    leaves,
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


@dataclass(slots=True)
class Flood:
    """Guesses whose judging takes until the test lets them go. Nobody else's is held up by it."""

    application: FastAPI
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_go: threading.Event = field(default_factory=threading.Event)
    crowd: list[threading.Thread] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    @property
    def queues(self) -> Queues:
        """The places of the interface."""
        desk: AccessDesk = self.application.state.context.access
        return desk.queues

    def judging(self, judged: Callable[[str | None, str], bool]) -> Callable[..., bool]:
        """`passwords.matches`, slow for whoever guesses."""

        def slow(kept: str | None, password: str) -> bool:
            if password == WRONG:
                self.arrived.release()
                self.may_go.wait(60)
            return judged(kept, password)

        return slow

    def rise(self, addresses: Iterable[str]) -> None:
        """One guess from each of the addresses; goes on when one of them is judged."""
        for number, address in enumerate(addresses):
            self._begin(address, f"nobody-{number}", WRONG)
        assert self.arrived.acquire(timeout=60)

    def join(self, address: str, name: str) -> threading.Thread:
        """Somebody with the right password comes too; what he is told is in `told`."""
        return self._begin(address, name, PASSWORD)

    def await_waiting(self, queue: PlaceQueue, count: int) -> None:
        """Goes on when so many wait for a place."""
        deadline_s = time.monotonic() + 60
        while queue.waiting != count:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)

    def fall(self) -> None:
        """All are let go."""
        self.may_go.set()
        for one in self.crowd:
            one.join(60)

    def _begin(self, address: str, name: str, password: str) -> threading.Thread:
        def come() -> None:
            status = Person.at(self.application, address).sign_in(name, password).status_code
            if password == PASSWORD:
                self.told.append(status)

        self.crowd.append(threading.Thread(target=come))
        self.crowd[-1].start()
        return self.crowd[-1]


@pytest.fixture
def flood(application: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flood]:
    """A flood to come; who waits for a place waits until it is over."""
    coming = Flood(application)
    monkeypatch.setattr(passwords, "matches", coming.judging(passwords.matches))
    monkeypatch.setattr(places, "WAIT_S", 60.0)
    yield coming
    coming.fall()


MANY = [f"192.0.2.{number}" for number in range(STRANGERS.places + STRANGERS.waiting)]
ELSEWHERE = "198.51.100.7"


def test_a_flood_of_passwords_from_many_addresses_is_refused_and_counts_against_nobody(
    application: FastAPI, vera: Person, storage: Storage, flood: Flood
) -> None:
    flood.rise(MANY)
    flood.await_waiting(flood.queues.strangers, STRANGERS.waiting)
    before = state_of(storage)
    refused = [Person.at(application, ELSEWHERE).sign_in("root") for _ in range(6)]
    assert [answer.status_code for answer in refused] == [429] * 6
    assert int(refused[0].headers["retry-after"]) == 2
    assert vera.get(f"{API}/sites").status_code == 200
    assert state_of(storage) == before
    flood.fall()
    assert Person.at(application, ELSEWHERE).sign_in("root").status_code == 201


def test_a_flood_of_passwords_holds_up_nobody_who_is_in_or_comes_from_where_somebody_is(
    application: FastAPI, vera: Person, flood: Flood
) -> None:
    flood.rise(MANY)
    flood.await_waiting(flood.queues.strangers, STRANGERS.waiting)
    assert vera.send("POST", f"{API}/account/totp", {"password": PASSWORD}).status_code == 200
    assert Person.at(application).sign_in("root").status_code == 201


def test_a_flood_of_passwords_from_one_address_holds_up_nobody_elsewhere(
    application: FastAPI, flood: Flood
) -> None:
    flood.rise(["192.0.2.1"] * (len(MANY) + 6))
    assert Person.at(application, ELSEWHERE).sign_in("root").status_code == 201


@pytest.mark.parametrize("addresses", [MANY, MANY[:1] * len(MANY)], ids=["many", "one"])
def test_a_flood_of_passwords_from_where_one_failed_before_holds_up_nobody_elsewhere(
    application: FastAPI, flood: Flood, addresses: list[str]
) -> None:
    for address in sorted(set(addresses)):
        failed = Person.at(application, address).sign_in(f"nobody-at-{address}", "a wrong one")
        assert failed.status_code == 401
    flood.rise(addresses)
    flood.await_waiting(flood.queues.suspects, SUSPECTS.waiting)
    assert Person.at(application, addresses[0]).sign_in("root").status_code == 429
    assert Person.at(application, ELSEWHERE).sign_in("root").status_code == 201
    assert flood.queues.strangers.waiting == 0


def test_guesses_from_the_many_addresses_of_one_network_take_two_places_at_most(
    flood: Flood,
) -> None:
    flood.rise(["2001:db8:0:1::1"])
    flood.rise(["2001:db8:0:1::2"])
    third = flood.join("2001:db8:0:1::3", "root")
    flood.await_waiting(flood.queues.suspects, 1)
    flood.may_go.set()
    third.join(60)
    assert flood.told == [201]


def test_who_comes_during_a_flood_of_passwords_from_many_addresses_waits_and_comes_in(
    flood: Flood,
) -> None:
    flood.rise(MANY[:-2])
    flood.await_waiting(flood.queues.strangers, STRANGERS.waiting - 2)
    honest = flood.join(ELSEWHERE, "root")
    flood.await_waiting(flood.queues.strangers, STRANGERS.waiting - 1)
    flood.may_go.set()
    honest.join(60)
    assert flood.told == [201]


@pytest.mark.parametrize("what", ["ADDRESS", "ACCOUNT"])
def test_guessing_on_where_the_address_or_the_account_is_locked_takes_no_place(
    application: FastAPI, flood: Flood, what: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, what, Limit(1, MINUTE_MS, MINUTE_MS))
        assert Person.at(application, MANY[0]).sign_in("vera", "a wrong one").status_code == 401
    for address in MANY[1:]:
        Person.at(application, address).sign_in(f"nobody-at-{address}", "a wrong one")
    flood.rise(MANY[1:])
    flood.await_waiting(flood.queues.suspects, SUSPECTS.waiting)
    address, name = (MANY[0], "root") if what == "ADDRESS" else (MANY[1], "vera")
    locked = Person.at(application, address).sign_in(name)
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "60")


def test_a_password_that_is_changed_while_it_is_judged_is_refused(
    application: FastAPI, storage: Storage, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = passwords.matches

    def meanwhile(kept: str | None, password: str) -> bool:
        good = judged(kept, password)
        with storage.write() as conn:
            vera_id = people.user_named(conn, "vera").id
            hashed = passwords.hash_password("another good long password")
            people.set_password(conn, clock, vera_id, hashed, people.HOST)
        return good

    monkeypatch.setattr(passwords, "matches", meanwhile)
    assert Person.at(application).sign_in("vera").status_code == 401
    assert leaves(storage, "user.password_changed") == 1
    assert leaves(storage, "session.opened") == 0
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1


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
