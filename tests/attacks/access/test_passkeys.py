"""Attacks on passkeys, with an authenticator in software: phishing, no user, a copied key."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from controller.access.passkeys import CEREMONY_MS
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import passkeys
from shared.messages import cbor
from tests.accounts import PASSWORD
from tests.approvers import Ceremony, PasskeyApprover, with_passkey
from tests.attacks.access.interface import (
    API,
    ORIGIN,
    Person,
    SetClock,
    leaves,
    told_of,
)

HOST = "testserver"
CREDENTIAL = b"credential-id-16"
GOOD = Ceremony(origin=ORIGIN, rp_id=HOST, counter=5)
EVIL = "https://testserver.evil.example"
PRESENT_ONLY = 0x01
"""The flags of somebody who touched the authenticator and was not asked for PIN or finger."""


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def credential(response: dict[str, str]) -> dict[str, Any]:
    """What a browser's `toJSON` gives."""
    number = encoded(CREDENTIAL)
    return {"id": number, "rawId": number, "type": "public-key", "response": response}


def attested(approver: PasskeyApprover, ceremony: Ceremony, challenge: str) -> dict[str, Any]:
    """A new credential without attestation; the flags tell also of the credential's data."""
    client = {"type": "webauthn.create", "challenge": challenge, "origin": ceremony.origin}
    data = hashlib.sha256(ceremony.rp_id.encode()).digest() + bytes([ceremony.flags | 0x40])
    data += ceremony.counter.to_bytes(4, "big") + bytes(16)
    data += len(CREDENTIAL).to_bytes(2, "big") + CREDENTIAL + approver.public_key
    attestation = {"fmt": "none", "attStmt": {}, "authData": data}
    return credential(
        {
            "clientDataJSON": encoded(json.dumps(client).encode()),
            "attestationObject": encoded(cbor.encode(attestation)),
        }
    )


def asserted(approver: PasskeyApprover, ceremony: Ceremony, challenge: str) -> dict[str, Any]:
    """An answer over the challenge."""
    made = approver.answer(ceremony, decoded(challenge))
    return credential(
        {
            "clientDataJSON": encoded(made.client_data),
            "authenticatorData": encoded(made.authenticator_data),
            "signature": encoded(made.signature),
        }
    )


def add_passkey(person: Person, ceremony: Ceremony = GOOD) -> httpx.Response:
    """Registers the passkey, as the page does."""
    begun = person.send("POST", f"{API}/account/passkeys/options", {"password": PASSWORD})
    challenge = begun.json()["options"]["challenge"]
    new = attested(with_passkey("vera"), ceremony, challenge)
    body = {"name": "a key", "credential": new}
    return person.send("POST", f"{API}/account/passkeys", body)


def challenged(person: Person) -> str:
    """Begins the second step; the challenge."""
    begun = person.send("POST", f"{API}/sessions/current/passkey-options")
    challenge: str = begun.json()["options"]["challenge"]
    return challenge


def give(person: Person, answer: dict[str, Any]) -> httpx.Response:
    return person.send("POST", f"{API}/sessions/current/passkey", answer)


def enter(
    person: Person, ceremony: Ceremony = GOOD, approver: PasskeyApprover | None = None
) -> httpx.Response:
    """The second step."""
    return give(person, asserted(approver or with_passkey("vera"), ceremony, challenged(person)))


def counter(storage: Storage) -> int:
    """The sign counter that is kept."""
    with storage.read() as conn:
        return int(conn.scalars(select(passkeys.c.sign_count)).one())


@pytest.fixture
def half_way(application: FastAPI, vera: Person) -> Person:
    """Vera, who has a passkey, after her password."""
    assert add_passkey(vera).status_code == 201
    person = Person.at(application)
    assert person.sign_in("vera").json()["stage"] == "password"
    return person


def test_a_passkey_lets_in_and_its_counter_goes_on(half_way: Person, storage: Storage) -> None:
    assert counter(storage) == 5
    before = half_way.client.cookies["bes_session"]
    entered = enter(half_way, replace(GOOD, counter=6))
    assert (entered.status_code, entered.json()["stage"]) == (200, "full")
    assert half_way.client.cookies["bes_session"] != before
    assert half_way.get(f"{API}/sites").status_code == 200
    assert counter(storage) == 6


@pytest.mark.parametrize(
    "ceremony",
    [
        pytest.param(replace(GOOD, origin=EVIL, counter=9), id="another origin"),
        pytest.param(replace(GOOD, origin="http://testserver:81", counter=9), id="another port"),
        pytest.param(replace(GOOD, rp_id="evil.example", counter=9), id="another relying party"),
        pytest.param(replace(GOOD, flags=PRESENT_ONLY, counter=9), id="user not verified"),
        pytest.param(replace(GOOD, flags=0x04, counter=9), id="user not present"),
        pytest.param(replace(GOOD, counter=5), id="the counter stands"),
        pytest.param(replace(GOOD, counter=4), id="the counter goes back"),
        pytest.param(replace(GOOD, counter=0), id="the counter is left out"),
        pytest.param(replace(GOOD, challenge=b"x" * 32, counter=9), id="another challenge"),
        pytest.param(replace(GOOD, type="webauthn.create", counter=9), id="another ceremony"),
    ],
)
def test_an_answer_that_is_not_this_ceremony_s_is_refused_and_recorded(
    half_way: Person, storage: Storage, ceremony: Ceremony
) -> None:
    answer = asserted(with_passkey("vera"), ceremony, challenged(half_way))
    told = told_of(storage, SecurityKind.SIGN_IN_FAILED)
    assert give(half_way, answer).status_code == 401
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == told + 1
    assert counter(storage) == 5
    assert half_way.get(f"{API}/sites").status_code == 401


def test_an_answer_of_another_authenticator_is_refused(half_way: Person, storage: Storage) -> None:
    other = with_passkey("mallory")
    assert enter(half_way, replace(GOOD, counter=9), other).status_code == 401
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1
    assert counter(storage) == 5


def test_an_answer_is_refused_the_second_time(
    half_way: Person, application: FastAPI, storage: Storage
) -> None:
    answer = asserted(with_passkey("vera"), replace(GOOD, counter=6), challenged(half_way))
    assert give(half_way, answer).status_code == 200
    thief = Person.at(application)
    thief.sign_in("vera")
    challenged(thief)
    assert give(thief, answer).status_code == 401
    assert told_of(storage, SecurityKind.SIGN_IN_FAILED) == 1
    assert counter(storage) == 6


def test_a_late_answer_is_refused(half_way: Person, clock: SetClock, storage: Storage) -> None:
    answer = asserted(with_passkey("vera"), replace(GOOD, counter=6), challenged(half_way))
    clock.time_ms += CEREMONY_MS
    assert give(half_way, answer).status_code == 401
    assert counter(storage) == 5


def test_wrong_answers_lock_the_account(half_way: Person, storage: Storage) -> None:
    statuses = [enter(half_way, replace(GOOD, origin=EVIL)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert told_of(storage, SecurityKind.ACCOUNT_LOCKED) >= 1


@pytest.mark.parametrize(
    "ceremony",
    [
        pytest.param(replace(GOOD, origin=EVIL), id="another origin"),
        pytest.param(replace(GOOD, rp_id="evil.example"), id="another relying party"),
        pytest.param(replace(GOOD, flags=PRESENT_ONLY), id="user not verified"),
    ],
)
def test_a_passkey_made_elsewhere_or_without_its_user_is_refused(
    vera: Person, storage: Storage, ceremony: Ceremony
) -> None:
    assert add_passkey(vera, ceremony).status_code == 409
    assert told_of(storage, SecurityKind.PASSKEY_REFUSED) == 1
    with storage.read() as conn:
        assert conn.execute(select(passkeys.c.id)).all() == []
    assert leaves(storage, "user.passkey_added") == 0


def test_a_passkey_of_somebody_else_s_is_refused(
    half_way: Person, root: Person, storage: Storage
) -> None:
    assert half_way.csrf
    assert add_passkey(root).status_code == 409
    assert told_of(storage, SecurityKind.PASSKEY_REFUSED) == 1
    with storage.read() as conn:
        assert len(conn.execute(select(passkeys.c.id)).all()) == 1
    assert leaves(storage, "user.passkey_added") == 1
