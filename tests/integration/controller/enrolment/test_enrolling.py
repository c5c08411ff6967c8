"""From a token to a certificate, over HTTPS, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from sqlalchemy import select

from controller.enrolment.tokens import expire
from controller.storage.tables import audit_leaves, enrolment_tokens, nodes, sites
from shared.identity.trust import TrustBundle
from shared.identity.verification import verify_client
from tests.enrolments import Interface, new_key


def test_a_host_with_a_token_becomes_a_node_of_a_new_site(interface: Interface) -> None:
    made = interface.new_token(site_name="Site A")
    key = new_key()
    response = interface.join(made["token"], key=key)
    assert response.status_code == 200
    answer = response.json()
    chain = x509.load_pem_x509_certificates(answer["certificate"].encode())
    trust = TrustBundle((interface.ca.root,))
    assert verify_client(chain, trust, datetime.now(UTC), node="site-a-01").node == "site-a-01"
    assert chain[0].public_key() == key.public_key()
    assert answer["broker"] == {"host": "broker.example", "port": 8883}
    with interface.storage.read() as conn:
        node = conn.execute(select(nodes)).one()
        assert (node.name, node.site_id, node.role) == ("site-a-01", "site-a", "site")
        assert conn.execute(select(sites.c.name)).scalar_one() == "Site A"


def test_the_token_itself_is_kept_nowhere(interface: Interface) -> None:
    made = interface.new_token()
    secret = made["token"].partition(".")[2]
    listed = interface.client.get("/api/v1/enrolment/tokens").text
    with interface.storage.read() as conn:
        rows = repr(conn.execute(select(enrolment_tokens)).all())
        leaves = repr(conn.execute(select(audit_leaves)).all())
    assert all(secret not in text for text in (listed, rows, leaves))


def test_the_same_host_that_lost_the_answer_gets_the_same_certificate(
    interface: Interface,
) -> None:
    token, key = interface.new_token()["token"], new_key()
    first, again = (interface.join(token, key=key).json() for _ in range(2))
    assert first["certificate"] == again["certificate"]
    assert len(interface.client.get("/api/v1/enrolment/certificates").json()["items"]) == 1


def test_a_host_waits_until_its_key_is_confirmed(interface: Interface) -> None:
    made, key = interface.new_token(confirm_key=True), new_key()
    waiting = interface.join(made["token"], key=key)
    assert waiting.status_code == 202
    fingerprint = waiting.json()["key_fingerprint"]
    assert interface.join(made["token"], key=key).status_code == 202
    path = f"/api/v1/enrolment/tokens/{made['id']}"
    wrong = interface.client.post(f"{path}/confirm", json={"key_fingerprint": "sha256:" + "0" * 64})
    assert wrong.status_code == 409
    confirmed = interface.client.post(f"{path}/confirm", json={"key_fingerprint": fingerprint})
    assert confirmed.json()["state"] == "used"
    assert interface.join(made["token"], key=key).status_code == 200
    twice = interface.client.post(f"{path}/confirm", json={"key_fingerprint": fingerprint})
    assert twice.status_code == 409


def test_a_host_that_is_turned_away_stays_out(interface: Interface) -> None:
    made, key = interface.new_token(confirm_key=True), new_key()
    interface.join(made["token"], key=key)
    refused = interface.client.post(f"/api/v1/enrolment/tokens/{made['id']}/refuse")
    assert refused.json()["state"] == "refused"
    assert interface.join(made["token"], key=key).status_code == 403
    assert interface.client.get("/api/v1/enrolment/certificates").json()["items"] == []


def test_a_new_token_for_a_node_withdraws_the_open_one(interface: Interface) -> None:
    old, new = (interface.new_token()["token"] for _ in range(2))
    assert interface.join(old).status_code == 403
    assert interface.join(new).status_code == 200


def test_a_host_that_is_enrolled_anew_puts_the_old_one_out(interface: Interface) -> None:
    old = interface.enrolled()
    interface.enrolled()
    listed = interface.client.get("/api/v1/enrolment/crl").content
    crl = x509.load_pem_x509_crl(listed)
    found = crl.get_revoked_certificate_by_serial_number(old.certificate.serial_number)
    assert found is not None
    items = interface.client.get("/api/v1/enrolment/certificates").json()["items"]
    states = [item["state"] for item in items]
    assert sorted(states) == ["active", "revoked"]


def test_a_node_known_with_another_site_or_role_gets_no_token(interface: Interface) -> None:
    interface.enrolled()
    for terms in ({"site": "site-b"}, {"role": "signer"}):
        body = {"node": "site-a-01", "site": "site-a", "role": "site", **terms}
        response = interface.client.post("/api/v1/enrolment/tokens", json=body)
        assert response.status_code == 409
        assert "site-a" in response.json()["detail"]


def test_tokens_whose_time_is_up_are_marked(interface: Interface) -> None:
    made = interface.new_token()
    interface.clock.ahead = timedelta(hours=1)
    with interface.storage.write() as conn:
        assert expire(conn, interface.clock) == 1
    path = f"/api/v1/enrolment/tokens/{made['id']}"
    assert interface.client.get(path).json()["state"] == "expired"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"node": "Site_A"}, "body.node"),
        ({"role": "admin"}, "body.role"),
        ({"lifetime": 1}, "body.lifetime"),
    ],
)
def test_terms_that_cannot_be_are_named(
    interface: Interface, change: dict[str, object], field: str
) -> None:
    body = {"node": "site-a-01", "site": "site-a", "role": "site", **change}
    response = interface.client.post("/api/v1/enrolment/tokens", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("network", ["everywhere", "10.0.0.1/8", "10.0.0.0/40"])
def test_a_network_that_is_none_is_named(interface: Interface, network: str) -> None:
    body = {"node": "site-a-01", "site": "site-a", "role": "site", "network": network}
    response = interface.client.post("/api/v1/enrolment/tokens", json=body)
    assert response.status_code == 409
    assert response.json()["errors"][0]["field"] == "body.network"


def test_enrolments_are_read_a_page_at_a_time(interface: Interface) -> None:
    for number in range(3):
        interface.new_token(f"site-a-{number:02}")
    first = interface.client.get("/api/v1/enrolment/tokens", params={"limit": 2}).json()
    assert [item["node"] for item in first["items"]] == ["site-a-02", "site-a-01"]
    rest = interface.client.get(
        "/api/v1/enrolment/tokens", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [item["node"] for item in rest["items"]] == ["site-a-00"]
    assert rest["next_cursor"] is None
