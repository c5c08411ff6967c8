"""Tokens used, late, stolen, guessed, for another name, from the wrong place."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx2
from sqlalchemy import func, select

from controller.enrolment.rate import Places, RateLimit
from controller.storage.tables import certificates
from shared.enrolment import EnrolmentToken
from tests.enrolments import Interface, enrolment_app, new_key, served


def refused(interface: Interface, response: httpx2.Response, why: str) -> None:
    """The answer says why, and an event was recorded."""
    assert response.status_code == 403, response.text
    assert why in response.json()["detail"]
    assert interface.security_events("enrolment_refused") == 1


def test_a_token_used_twice_is_refused(interface: Interface) -> None:
    token = interface.new_token()["token"]
    assert interface.join(token).status_code == 200
    before = interface.facts()
    refused(interface, interface.join(token), "used")
    assert interface.facts() == before


def test_a_token_used_by_many_at_once_admits_one(interface: Interface) -> None:
    token = interface.new_token()["token"]
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(
            response.status_code for response in pool.map(lambda _: interface.join(token), range(6))
        )
    assert statuses == [200, *[403] * 5]
    with interface.storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(certificates)) == 1
    assert interface.security_events("enrolment_refused") == 5


def test_a_late_token_is_refused(interface: Interface) -> None:
    token = interface.new_token()["token"]
    before = interface.facts()
    interface.clock.ahead = timedelta(hours=1, seconds=1)
    refused(interface, interface.join(token), "late")
    assert interface.facts() == before


def test_a_token_for_another_name_is_refused(interface: Interface) -> None:
    token = interface.new_token("site-a-01")["token"]
    before = interface.facts()
    refused(interface, interface.join(token, "site-a-02"), "another name")
    assert interface.facts() == before


def test_a_token_from_the_wrong_place_is_refused(interface: Interface) -> None:
    token = interface.new_token(network="10.20.0.0/16")["token"]
    before = interface.facts()
    refused(interface, interface.join(token), "wrong place")
    assert interface.facts() == before


def test_a_forged_forwarding_header_is_refused_as_a_place(interface: Interface) -> None:
    token = interface.new_token(network="10.20.0.0/16")["token"]
    before = interface.facts()
    interface.stranger.headers["X-Forwarded-For"] = "10.20.1.1"
    interface.stranger.headers["Forwarded"] = "for=10.20.1.1"
    refused(interface, interface.join(token), "wrong place")
    assert interface.facts() == before


def test_a_token_from_the_right_place_is_taken(interface: Interface) -> None:
    token = interface.new_token(network="127.0.0.0/8")["token"]
    assert interface.join(token).status_code == 200


def test_a_withdrawn_token_is_refused(interface: Interface) -> None:
    made = interface.new_token()
    interface.client.post(f"/api/v1/enrolment/tokens/{made['id']}/withdraw")
    before = interface.facts()
    refused(interface, interface.join(made["token"]), "withdrawn")
    assert interface.facts() == before


def test_a_token_stolen_while_its_host_waits_is_refused_with_another_key(
    interface: Interface,
) -> None:
    token, key = interface.new_token(confirm_key=True)["token"], new_key()
    assert interface.join(token, key=key).status_code == 202
    before = interface.facts()
    refused(interface, interface.join(token), "another key")
    assert interface.facts() == before
    assert interface.join(token, key=key).status_code == 202


def test_a_token_stolen_after_its_use_gets_nothing_an_hour_later_either(
    interface: Interface,
) -> None:
    token, key = interface.new_token()["token"], new_key()
    interface.join(token, key=key)
    interface.clock.ahead = timedelta(hours=1, seconds=1)
    before = interface.facts()
    refused(interface, interface.join(token, key=key), "used")
    assert interface.facts() == before


def test_guessed_tokens_are_refused_and_soon_not_even_looked_at(
    interface: Interface, tmp_path: Path
) -> None:
    desk = dataclasses.replace(interface.desk, places=Places(RateLimit(burst=20, a_second=0.001)))
    app = enrolment_app(interface.storage, interface.clock, desk)
    before = interface.facts()
    with served(app, interface.ca.server_files(tmp_path)) as url, interface.moved_to(url):
        answers = [
            interface.join(EnrolmentToken("site-a-01", bytes([n] * 16)).text).status_code
            for n in range(12)
        ]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert interface.security_events("enrolment_refused") == answers.count(403) <= 5
    assert interface.security_events("enrolment_throttled") == 1
    assert interface.facts() == before


def test_what_is_public_is_not_given_without_end_either(
    interface: Interface, tmp_path: Path
) -> None:
    desk = dataclasses.replace(interface.desk, places=Places(RateLimit(burst=4, a_second=0.001)))
    app = enrolment_app(interface.storage, interface.clock, desk)
    with served(app, interface.ca.server_files(tmp_path)) as url, interface.moved_to(url):
        answers = [
            interface.stranger.get(f"/api/v1/enrolment/{what}").status_code
            for what in ("trust", "crl") * 3
        ]
    assert answers == [200] * 4 + [429] * 2


def test_a_stranger_is_refused_a_token(interface: Interface) -> None:
    before = interface.facts()
    body = {"node": "site-a-01", "site": "site-a", "role": "site"}
    assert interface.stranger.post("/api/v1/enrolment/tokens", json=body).status_code == 401
    assert interface.facts() == before
