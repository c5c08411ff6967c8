"""The intermediate is replaced while nodes hold certificates of the one before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from controller.enrolment.authority import Authority
from controller.enrolment.crl import keep_lists, lists_pem
from controller.storage.engine import Storage
from shared.errors import BadInputError
from shared.identity.issuing import Issuer, issue_intermediate
from shared.identity.requests import build_authority_request
from shared.identity.trust import TrustBundle
from shared.identity.verification import verify_client
from tests.enrolments import (
    CertificateAuthority,
    ask_renewal,
    enrolment_app,
    new_key,
    renewed,
    running_interface,
    served,
)

LIFETIMES = (timedelta(days=7), timedelta(days=7))


def successor(ca: CertificateAuthority) -> Issuer:
    """A new intermediate under the same root."""
    key, now = new_key(), datetime.now(UTC) - timedelta(days=1)
    request = build_authority_request(key, "second intermediate")
    root = Issuer(ca.root_key, ca.root)
    return Issuer(key, issue_intermediate(root, request, now, x509.random_serial_number()))


def test_a_node_moves_to_the_new_intermediate_and_both_lists_are_kept_up(
    storage: Storage, tmp_path: Path
) -> None:
    with running_interface(storage, tmp_path) as interface:
        host, key = interface.enrolled(), new_key()
        second = successor(interface.ca)
        trust = TrustBundle((interface.ca.root,))
        authority = Authority(second, (interface.ca.intermediate,), trust, LIFETIMES)
        assert keep_lists(storage, interface.clock, authority) == 1
        desk = replace(interface.desk, authority=authority)
        app = enrolment_app(storage, interface.clock, desk)
        with served(app, interface.ca.server_files(tmp_path)) as url, interface.moved_to(url):
            response = ask_renewal(interface, host, new=key)
            after = renewed(host, key, response)
            body = {"node": host.node, "reason": "the test is over"}
            revoked = interface.client.post("/api/v1/enrolment/revocations", json=body).json()
        with storage.read() as conn:
            lists = x509_lists(lists_pem(conn, interface.clock, authority))
    chain = x509.load_pem_x509_certificates(response.json()["certificate"].encode())
    assert chain[1] == second.certificate
    assert verify_client(chain, trust, datetime.now(UTC)).leaf == after.certificate
    assert len(revoked["serials"]) == 2
    listed = {crl.issuer: [one.serial_number for one in crl] for crl in lists}
    assert listed == {
        interface.ca.intermediate.certificate.subject: [host.certificate.serial_number],
        second.certificate.subject: [after.certificate.serial_number],
    }


def x509_lists(pem: bytes) -> list[x509.CertificateRevocationList]:
    """Every list of a file."""
    end = b"-----END X509 CRL-----\n"
    return [x509.load_pem_x509_crl(part + end) for part in pem.split(end) if part.strip()]


def test_an_intermediate_of_another_root_is_refused_at_the_start() -> None:
    ours, theirs = CertificateAuthority("ours"), CertificateAuthority("theirs")
    with pytest.raises(BadInputError, match="none of them signed the intermediate"):
        Authority(theirs.intermediate, (), TrustBundle((ours.root,)), LIFETIMES)
