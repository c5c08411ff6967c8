"""Revocation lists in bad times: an intermediate that ended, a database that was put back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, insert, select

from controller.enrolment.authority import Authority
from controller.enrolment.crl import keep_lists, lists_pem
from controller.enrolment.ending import tell_of_end
from controller.enrolment.list_file import ListFile
from controller.storage.tables import (
    certificates,
    cut_offs,
    enrolment_tokens,
    other_revocations,
    revocation_lists,
    revocations,
)
from shared.identity.issuing import Issuer, issue_intermediate
from shared.identity.requests import build_authority_request
from shared.identity.revocation import Revocation, issue_list, list_number
from shared.identity.trust import TrustBundle
from tests.enrolments import CertificateAuthority, Host, Interface, ask_renewal, new_key, renewed

LIFETIMES = (timedelta(days=7), timedelta(days=7))
REVOCATIONS = "/api/v1/enrolment/revocations"
LOST = (cut_offs, revocations, other_revocations, revocation_lists, enrolment_tokens, certificates)


def short_lived(interface: Interface, days: float) -> Issuer:
    """An intermediate under the same root that ends soon."""
    key, now = new_key(), datetime.now(UTC) - timedelta(days=1)
    request = build_authority_request(key, "first intermediate")
    root, lasts = Issuer(interface.ca.root_key, interface.ca.root), timedelta(days=1 + days)
    serial = x509.random_serial_number()
    return Issuer(key, issue_intermediate(root, request, now, serial, lasts))


def work_with(interface: Interface, issuer: Issuer, *previous: Issuer) -> Authority:
    """From here on the interface issues with this intermediate."""
    bundle = TrustBundle((interface.ca.root,))
    authority = Authority(issuer, previous, bundle, LIFETIMES)
    object.__setattr__(interface.desk, "authority", authority)
    return authority


def lists(interface: Interface) -> dict[x509.Name, x509.CertificateRevocationList]:
    with interface.storage.read() as conn:
        pem = lists_pem(conn, interface.clock, interface.desk.authority)
    end = b"-----END X509 CRL-----\n"
    found = [x509.load_pem_x509_crl(part + end) for part in pem.split(end)[:-1]]
    return {crl.issuer: crl for crl in found}


def revoke(interface: Interface, node: str) -> int:
    body = {"node": node, "reason": "stolen"}
    return interface.client.post(REVOCATIONS, json=body).status_code


def test_a_previous_intermediate_that_ended_stops_no_list_and_no_revocation(
    interface: Interface,
) -> None:
    old, new = short_lived(interface, 8), interface.ca.intermediate
    work_with(interface, old)
    first, second = interface.enrolled("site-a-01"), interface.enrolled("site-a-02")
    authority = work_with(interface, new, old)
    after = renewed(first, key := new_key(), ask_renewal(interface, first, new=key))
    keep_lists(interface.storage, interface.clock, authority)
    assert set(lists(interface)) == {old.certificate.subject, new.certificate.subject}
    interface.clock.ahead = timedelta(days=8, hours=1)
    assert keep_lists(interface.storage, interface.clock, authority) == 1
    assert set(lists(interface)) == {new.certificate.subject}
    ends = lists(interface)[new.certificate.subject].next_update_utc
    assert ends is not None
    assert ends > interface.clock.now() + timedelta(days=6)
    assert revoke(interface, "site-a-01") == 201
    listed = [one.serial_number for one in lists(interface)[new.certificate.subject]]
    assert listed == [after.certificate.serial_number]
    assert interface.join(interface.new_token("site-a-02")["token"], "site-a-02").status_code == 200
    assert second.certificate.serial_number not in listed


def test_a_list_that_cannot_be_issued_keeps_up_no_other(interface: Interface) -> None:
    good, bad = interface.ca.intermediate, short_lived(interface, 30)
    authority = work_with(interface, good, bad)
    (spoilt,) = set(authority.issuers(interface.clock.real_ms())) - {authority.issuer}
    with interface.storage.write() as conn:  # what no list can hold
        conn.execute(
            insert(other_revocations).values(
                serial="0",
                issuer=spoilt,
                reason="",
                actor="",
                revoked_real_ms=0,
                not_after_real_ms=2**52,
            )
        )
    interface.clock.ahead = timedelta(days=2)
    with pytest.raises(ValueError, match="positive"):
        keep_lists(interface.storage, interface.clock, authority)
    ends = lists(interface)[good.certificate.subject].next_update_utc
    assert ends is not None
    assert ends > interface.clock.now() + timedelta(days=6)


def test_the_end_of_the_intermediate_is_told_60_days_ahead_once_a_day(
    interface: Interface,
) -> None:
    authority = work_with(interface, short_lived(interface, 61))

    def told() -> bool:
        return tell_of_end(interface.storage, interface.clock, authority)

    assert not told()
    interface.clock.ahead = timedelta(days=1, hours=1)
    assert [told(), told()] == [True, False]
    interface.clock.ahead += timedelta(hours=25)
    assert [told(), told()] == [True, False]
    assert interface.security_events("intermediate_ends") == 2


def test_after_the_end_of_the_intermediate_hosts_are_told_why(interface: Interface) -> None:
    host = interface.enrolled("site-a-01")
    work_with(interface, short_lived(interface, 0.5), interface.ca.intermediate)
    interface.clock.ahead = timedelta(days=1)
    token = interface.new_token("site-a-02")["token"]
    for response in (ask_renewal(interface, host), interface.join(token, "site-a-02")):
        assert response.status_code == 409
        assert "the intermediate" in response.json()["detail"]


@contextmanager
def put_back_afterwards(interface: Interface) -> Iterator[None]:
    """What is done within the block is lost to the database, as when a copy is put back."""
    with interface.storage.read() as conn:
        copy = {table: conn.execute(select(table)).mappings().all() for table in LOST}
    yield
    with interface.storage.write() as conn:
        for table in LOST:
            conn.execute(delete(table))
        for table in reversed(LOST):
            if copy[table]:
                conn.execute(insert(table), [dict(row) for row in copy[table]])


@pytest.fixture
def file(interface: Interface, tmp_path: Path) -> ListFile:
    """The broker's file, as it is at the start."""
    path = tmp_path / "crl.pem"
    made = ListFile(interface.storage, interface.clock, interface.desk.authority, path)
    made.keep()
    return made


def renewal(interface: Interface, host: Host) -> Host:
    key = new_key()
    return renewed(host, key, ask_renewal(interface, host, new=key))


def test_a_database_that_was_put_back_takes_revocations_over_from_the_brokers_file(
    interface: Interface, file: ListFile
) -> None:
    known, renewed_since = interface.enrolled("site-b-01"), interface.enrolled("site-b-02")
    token = interface.new_token("site-c-01")["token"]
    file.keep()
    with put_back_afterwards(interface):
        since = renewal(interface, renewed_since)
        assert [revoke(interface, "site-b-01"), revoke(interface, "site-b-02")] == [201, 201]
        assert interface.join(token, "site-c-01").status_code == 200
        file.keep()
        (before,) = lists(interface).values()
    assert file.read_back()
    assert not file.read_back()
    file.keep()
    (after,) = lists(interface).values()
    assert list_number(after) > list_number(before)
    assert {one.serial_number for one in before} == {one.serial_number for one in after}
    for host in (known, renewed_since, since):
        assert ask_renewal(interface, host).status_code == 403
    assert interface.join(token, "site-c-01").status_code == 403
    assert interface.security_events("database_put_back") == 1


def test_what_was_on_every_list_is_on_every_list_again_after_a_restore(
    interface: Interface, tmp_path: Path
) -> None:
    """While one intermediate follows another, either may have signed what only a serial names."""
    authority = work_with(interface, short_lived(interface, 200), interface.ca.intermediate)
    keep_lists(interface.storage, interface.clock, authority)
    file = ListFile(interface.storage, interface.clock, authority, tmp_path / "crl.pem")
    serial = x509.random_serial_number()
    body = {"node": "controller", "serial": f"{serial:x}", "reason": "stolen"}
    with put_back_afterwards(interface):
        assert interface.client.post(REVOCATIONS, json=body).status_code == 201
        file.keep()
        before = lists(interface)
    assert file.read_back()
    assert not file.read_back()
    assert file.keep()
    after = lists(interface)
    assert len(after) == 2
    for name, crl in after.items():
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None
        assert list_number(crl) > list_number(before[name])
    with interface.storage.read() as conn:
        (row,) = conn.execute(select(other_revocations)).all()
    assert (row.issuer, row.not_after_real_ms) == (None, authority.last_end_ms)
    assert interface.security_events("database_put_back") == 1
    interface.clock.ahead = timedelta(days=150)  # beyond what a node's certificate lasts
    keep_lists(interface.storage, interface.clock, authority)
    for crl in lists(interface).values():
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None
    answer = interface.client.post(REVOCATIONS, json=body)
    assert "no such certificate" in answer.json()["detail"]  # for it is taken back already


def test_revocations_by_both_issuers_come_back_after_a_restore(
    interface: Interface, tmp_path: Path
) -> None:
    first = interface.enrolled("site-a-01")
    authority = work_with(interface, short_lived(interface, 200), interface.ca.intermediate)
    second = interface.enrolled("site-a-02")
    keep_lists(interface.storage, interface.clock, authority)
    file = ListFile(interface.storage, interface.clock, authority, tmp_path / "crl.pem")
    with put_back_afterwards(interface):
        assert [revoke(interface, "site-a-01"), revoke(interface, "site-a-02")] == [201, 201]
        file.keep()
        before = lists(interface)
    assert file.keep()
    for name, crl in lists(interface).items():
        assert list_number(crl) > list_number(before[name])
        assert [one.serial_number for one in crl] == [one.serial_number for one in before[name]]
    assert [ask_renewal(interface, host).status_code for host in (first, second)] == [403, 403]


def test_the_file_is_never_replaced_by_a_lower_number(interface: Interface, file: ListFile) -> None:
    with put_back_afterwards(interface):
        for days in (2, 4, 6):
            interface.clock.ahead = timedelta(days=days)
            keep_lists(interface.storage, interface.clock, interface.desk.authority)
        file.keep()
        (before,) = lists(interface).values()
    assert file.keep()
    (after,) = lists(interface).values()
    assert list_number(after) == list_number(before) + 1


def test_lists_of_others_and_rubbish_in_the_file_change_nothing(
    interface: Interface, file: ListFile, tmp_path: Path
) -> None:
    host = interface.enrolled("site-a-01")
    foreign = CertificateAuthority("theirs").intermediate
    stranger = issue_list(
        foreign,
        99,
        [Revocation(host.certificate.serial_number, interface.clock.now())],
        interface.clock.now(),
    )
    rubbish = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    (tmp_path / "crl.pem").write_bytes(stranger.public_bytes(Encoding.PEM) + rubbish)
    assert not file.read_back()
    assert file.keep()
    assert ask_renewal(interface, host).status_code == 200


def test_a_node_that_renewed_since_the_copy_goes_on(interface: Interface, file: ListFile) -> None:
    host = interface.enrolled("site-a-01")
    with put_back_afterwards(interface):
        since = renewal(interface, host)
    after = renewal(interface, since)
    assert interface.security_events("certificate_found_again") == 1
    renewal(interface, after)
    stolen = ask_renewal(interface, host)  # the key before: nobody has it any more
    assert "renewed before" in stolen.json()["detail"]
    body = {"node": "site-a-01", "reason": "x", "serial": f"{since.certificate.serial_number:x}"}
    assert interface.client.post(REVOCATIONS, json=body).status_code == 201


def test_an_unknown_certificate_of_a_revoked_node_or_an_unproven_one_is_refused(
    interface: Interface, file: ListFile
) -> None:
    host, other = interface.enrolled("site-a-01"), interface.enrolled("site-a-02")
    assert revoke(interface, "site-a-02") == 201
    with put_back_afterwards(interface):
        since = renewal(interface, host)
        interface.join(interface.new_token("site-a-02")["token"], "site-a-02", other.key)
        unknown = renewal(interface, interface.enrolled("site-a-02"))
    before = interface.facts()
    assert ask_renewal(interface, unknown).status_code == 403
    assert ask_renewal(interface, since, signing=new_key()).status_code == 403
    assert ask_renewal(interface, since, node="site-a-02").status_code == 403
    assert interface.facts() == before


def test_a_certificate_that_stands_in_no_table_is_listed_by_its_serial(
    interface: Interface,
) -> None:
    interface.enrolled("site-a-01")
    serial = x509.random_serial_number()
    for node, more in (("controller", {}), ("site-a-01", {"unknown": True})):
        body = {"node": node, "serial": f"{serial:x}", "reason": "its key was stolen", **more}
        assert interface.client.post(REVOCATIONS, json=body).status_code == 201
        assert interface.client.post(REVOCATIONS, json=body).status_code == 409
        (crl,) = lists(interface).values()
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None
        serial += 1
    for which in ({"node": "controller"}, {"node": "site-a-01", "unknown": True}):
        answer = interface.client.post(REVOCATIONS, json={"reason": "which?", **which})
        assert answer.status_code == 409
        assert "by its serial" in answer.json()["detail"]
    with interface.storage.read() as conn:
        assert list(conn.scalars(select(cut_offs.c.node))) == ["site-a-01"]


def test_a_mistyped_serial_of_a_node_is_not_taken_for_a_lost_one(interface: Interface) -> None:
    host, other = interface.enrolled("site-a-01"), interface.enrolled("site-a-02")
    serial, others = (f"{one.certificate.serial_number:x}" for one in (host, other))
    mistyped = serial[:-1] + ("1" if serial.endswith("0") else "0")
    body = {"node": "site-a-01", "serial": mistyped, "reason": "stolen"}
    answer = interface.client.post(REVOCATIONS, json=body)
    assert answer.status_code == 409
    assert "no such certificate" in answer.json()["detail"]
    known = {**body, "serial": others, "unknown": True}  # and another's is never a lost one
    assert interface.client.post(REVOCATIONS, json=known).status_code == 409
    with interface.storage.read() as conn:
        assert conn.execute(select(other_revocations)).all() == []
        assert conn.execute(select(cut_offs)).all() == []
    assert interface.client.post(REVOCATIONS, json={**body, "serial": serial}).status_code == 201


@pytest.mark.parametrize(
    ("serial", "status"), [(2**159, 422), (2**160 - 1, 422), (2**159 - 1, 201)]
)
def test_a_serial_that_no_certificate_can_have_is_refused(
    interface: Interface, serial: int, status: int
) -> None:
    body = {"node": "controller", "serial": f"{serial:x}", "reason": "stolen"}
    assert interface.client.post(REVOCATIONS, json=body).status_code == status


def test_cuts_that_were_still_to_come_do_not_hit_the_host_that_comes_instead(
    interface: Interface,
) -> None:
    interface.enrolled("site-a-01")
    assert revoke(interface, "site-a-01") == 201
    with interface.storage.read() as conn:
        assert conn.scalar(select(cut_offs.c.due_real_ms)) is not None
    interface.enrolled("site-a-01")
    with interface.storage.read() as conn:
        assert conn.scalar(select(cut_offs.c.due_real_ms)) is None


def test_replicas_that_start_together_after_a_restore_take_over_once(
    interface: Interface, file: ListFile
) -> None:
    interface.enrolled("site-b-01")
    file.keep()
    with put_back_afterwards(interface):
        since = interface.enrolled("site-b-02")
        assert revoke(interface, "site-b-01") == 201
        body = {"node": "x", "serial": "abc", "reason": "in no table", "unknown": True}
        assert interface.client.post(REVOCATIONS, json=body).status_code == 201
        file.keep()
    with ThreadPoolExecutor(4) as pool:
        learnt = list(pool.map(lambda _: file.read_back(), range(4)))
    assert learnt.count(True) == 1
    assert interface.security_events("database_put_back") == 1
    assert ask_renewal(interface, since).status_code == 403  # it joined since: it joins again
