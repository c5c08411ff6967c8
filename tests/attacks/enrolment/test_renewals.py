"""Renewal by who should not: another node, a thief, a revoked or long expired certificate."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controller.enrolment.authority import read_request
from shared.identity.renewal import Challenge
from shared.identity.requests import build_request
from shared.time import to_ms
from tests.enrolments import (
    CertificateAuthority,
    Host,
    Interface,
    ask_renewal,
    new_key,
    renewed,
    send_renewal,
)


def refused(interface: Interface, response: httpx2.Response, why: str) -> None:
    """The answer says why, and an event was recorded."""
    assert response.status_code == 403, response.text
    assert why in response.json()["detail"]
    assert interface.security_events("renewal_refused") == 1


def test_another_nodes_name_is_refused(interface: Interface) -> None:
    host = interface.enrolled("site-b-01")
    interface.enrolled("site-a-01")
    before = interface.facts()
    refused(interface, ask_renewal(interface, host, node="site-a-01"), "another name")
    assert interface.facts() == before


def test_another_nodes_certificate_without_its_key_is_refused(interface: Interface) -> None:
    mine, theirs = interface.enrolled("site-b-01"), interface.enrolled("site-a-01")
    before = interface.facts()
    answer = ask_renewal(interface, theirs, signing=mine.key)
    refused(interface, answer, "not proven")
    assert interface.facts() == before


def test_a_revoked_certificate_is_refused_its_renewal(interface: Interface) -> None:
    host = interface.enrolled()
    body = {"node": host.node, "reason": "stolen"}
    interface.client.post("/api/v1/enrolment/revocations", json=body)
    before = interface.facts()
    refused(interface, ask_renewal(interface, host), "revoked")
    assert interface.facts() == before


def test_a_certificate_revoked_after_its_end_is_refused_its_late_renewal(
    interface: Interface,
) -> None:
    host = interface.enrolled()
    interface.clock.ahead = timedelta(days=30)
    body = {"node": host.node, "reason": "stolen"}
    assert interface.client.post("/api/v1/enrolment/revocations", json=body).status_code == 201
    before = interface.facts()
    refused(interface, ask_renewal(interface, host), "revoked")
    assert interface.facts() == before


def test_a_certificate_expired_beyond_90_days_is_refused(interface: Interface) -> None:
    host = interface.enrolled()
    interface.clock.ahead = timedelta(days=7 + 90, seconds=5)
    before = interface.facts()
    refused(interface, ask_renewal(interface, host), "too long ago")
    assert interface.facts() == before


def test_a_copied_key_is_refused_after_the_node_renewed(interface: Interface) -> None:
    host, key = interface.enrolled(), new_key()
    renewed(host, key, ask_renewal(interface, host, new=key))
    before = interface.facts()
    refused(interface, ask_renewal(interface, host), "renewed before")
    assert interface.facts() == before


def test_copies_of_a_key_that_renew_at_once_get_one_certificate(interface: Interface) -> None:
    host = interface.enrolled()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: ask_renewal(interface, host), range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, *[403] * 4]
    items = interface.client.get("/api/v1/enrolment/certificates").json()["items"]
    assert [item["state"] for item in items].count("active") == 1
    assert interface.security_events("renewal_refused") == 4


def test_a_renewal_at_the_moment_of_revocation_leaves_nothing_in_use(interface: Interface) -> None:
    host = interface.enrolled()
    body = {"node": host.node, "reason": "stolen"}
    path = "/api/v1/enrolment/revocations"
    with ThreadPoolExecutor(2) as pool:
        renewing = pool.submit(ask_renewal, interface, host)
        revoking = pool.submit(interface.client.post, path, json=body)
    assert renewing.result().status_code in {200, 403}
    assert revoking.result().status_code == 201
    items = interface.client.get("/api/v1/enrolment/certificates").json()["items"]
    assert {item["state"] for item in items} == {"revoked"}


def test_the_same_key_again_is_refused(interface: Interface) -> None:
    host = interface.enrolled()
    before = interface.facts()
    refused(interface, ask_renewal(interface, host, new=host.key), "same key")
    assert interface.facts() == before


def test_a_certificate_of_another_authority_is_refused(interface: Interface) -> None:
    key = new_key()
    request = read_request(build_request(key, "site-a-01").public_bytes(Encoding.DER))
    issued = CertificateAuthority("theirs").authority().issue(request, to_ms(datetime.now(UTC)))
    interface.enrolled()
    forged = Host("site-a-01", key, x509.load_der_x509_certificate(issued.der))
    before = interface.facts()
    refused(interface, ask_renewal(interface, forged), "unknown certificate")
    assert interface.facts() == before


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-1)])
def test_an_old_or_future_challenge_is_refused(interface: Interface, age: timedelta) -> None:
    host = interface.enrolled()
    challenge = interface.desk.authority.new_challenge(interface.clock.real_ms())
    interface.clock.ahead = age
    before = interface.facts()
    request = build_request(new_key(), host.node)
    answer = send_renewal(interface, host, request, challenge, host.key)
    refused(interface, answer, "not proven")
    assert interface.facts() == before


def test_a_challenge_of_ones_own_making_is_refused(interface: Interface) -> None:
    host = interface.enrolled()
    given = interface.stranger.post("/api/v1/enrolment/challenge").json()
    nonce = bytearray(base64.b64decode(given["nonce"]))
    nonce[0] ^= 1
    before = interface.facts()
    request = build_request(new_key(), host.node)
    challenge = Challenge(bytes(nonce), given["issued_ms"])
    answer = send_renewal(interface, host, request, challenge, host.key)
    refused(interface, answer, "not proven")
    assert interface.facts() == before
