"""Certificates are renewed by the key they are for, and taken back by an operator."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy import select

from controller.enrolment.crl import keep_lists
from controller.enrolment.list_file import ListFile
from controller.storage.tables import cut_offs, revocation_lists
from shared.identity.revocation import list_number
from tests.enrolments import Interface, ask_renewal, new_key, renewed

REVOCATIONS = "/api/v1/enrolment/revocations"


def test_a_certificate_is_renewed_for_a_new_key(interface: Interface) -> None:
    host, key = interface.enrolled(), new_key()
    after = renewed(host, key, ask_renewal(interface, host, new=key))
    assert after.certificate.serial_number != host.certificate.serial_number
    assert after.certificate.public_key() == key.public_key()
    items = interface.client.get("/api/v1/enrolment/certificates").json()["items"]
    states = {item["serial"]: (item["state"], item["successor"]) for item in items}
    old, new = (f"{one.certificate.serial_number:x}" for one in (host, after))
    assert states == {old: ("superseded", new), new: ("active", None)}
    third = new_key()
    renewed(after, third, ask_renewal(interface, after, new=third))


def test_a_renewal_whose_answer_was_lost_is_answered_the_same(interface: Interface) -> None:
    host, key = interface.enrolled(), new_key()
    first, again = (ask_renewal(interface, host, new=key).json() for _ in range(2))
    assert first["certificate"] == again["certificate"]


def test_an_expired_certificate_renews_itself_within_90_days_and_leaves_an_event(
    interface: Interface,
) -> None:
    host, key = interface.enrolled(), new_key()
    interface.clock.ahead = timedelta(days=7 + 89)
    renewed(host, key, ask_renewal(interface, host, new=key))
    assert interface.security_events("renewed_late") == 1


def test_a_revoked_certificate_stands_on_the_next_list(interface: Interface) -> None:
    host = interface.enrolled()
    before = x509.load_pem_x509_crl(interface.stranger.get("/api/v1/enrolment/crl").content)
    body = {"node": host.node, "reason": "the host was stolen"}
    response = interface.client.post(REVOCATIONS, json=body)
    assert response.json()["serials"] == [f"{host.certificate.serial_number:x}"]
    after = x509.load_pem_x509_crl(interface.stranger.get("/api/v1/enrolment/crl").content)
    assert list_number(after) == list_number(before) + 1
    number = host.certificate.serial_number
    assert before.get_revoked_certificate_by_serial_number(number) is None
    assert after.get_revoked_certificate_by_serial_number(number) is not None
    assert interface.security_events("certificate_revoked") == 1
    assert interface.client.post(REVOCATIONS, json=body).status_code == 409


def test_a_revoked_nodes_live_connection_is_to_be_cut_but_not_its_successors(
    interface: Interface,
) -> None:
    interface.enrolled()
    interface.enrolled()
    with interface.storage.read() as conn:
        assert conn.execute(select(cut_offs)).all() == []
    interface.client.post(REVOCATIONS, json={"node": "site-a-01", "reason": "stolen"})
    with interface.storage.read() as conn:
        assert conn.execute(select(cut_offs.c.node)).scalars().all() == ["site-a-01"]


def test_revoking_a_node_withdraws_its_open_token(interface: Interface) -> None:
    host = interface.enrolled()
    token = interface.new_token()["token"]
    interface.client.post(REVOCATIONS, json={"node": host.node, "reason": "stolen"})
    assert interface.join(token).status_code == 403


def test_one_certificate_of_a_node_can_be_revoked_alone(interface: Interface) -> None:
    host, key = interface.enrolled(), new_key()
    after = renewed(host, key, ask_renewal(interface, host, new=key))
    serial = f"{host.certificate.serial_number:x}"
    body = {"node": host.node, "serial": serial, "reason": "the old one"}
    assert interface.client.post(REVOCATIONS, json=body).json()["serials"] == [serial]
    assert ask_renewal(interface, after).status_code == 200


def test_a_list_is_issued_again_well_before_its_end(interface: Interface) -> None:
    authority, clock = interface.desk.authority, interface.clock
    assert keep_lists(interface.storage, clock, authority) == 0
    clock.ahead = timedelta(days=2)
    assert keep_lists(interface.storage, clock, authority) == 1
    assert keep_lists(interface.storage, clock, authority) == 0
    with interface.storage.read() as conn:
        ends = conn.execute(select(revocation_lists.c.next_update_real_ms)).scalar_one()
    assert ends > clock.real_ms() + timedelta(days=6).total_seconds() * 1_000


def test_the_brokers_file_follows_the_database(interface: Interface, tmp_path: Path) -> None:
    authority, clock = interface.desk.authority, interface.clock
    file = ListFile(interface.storage, clock, authority, tmp_path / "crl.pem")
    assert file.keep()
    assert not file.keep()
    host = interface.enrolled()
    interface.client.post(REVOCATIONS, json={"node": host.node, "reason": "stolen"})
    assert file.keep()
    written = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    number = host.certificate.serial_number
    assert written.get_revoked_certificate_by_serial_number(number) is not None
    assert [path.name for path in tmp_path.glob("crl.pem*")] == ["crl.pem"]
