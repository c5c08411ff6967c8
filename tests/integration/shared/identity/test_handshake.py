"""What is issued works in TLS 1.3 as OpenSSL judges it, strictly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from shared.identity.rotation import accept_root, cross_certify
from tests.identities import (
    Hierarchy,
    Holder,
    check_revocation,
    contexts,
    handshake,
    new_hierarchy,
    new_intermediate,
    new_root,
    new_serial,
)


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def company(now: datetime) -> Hierarchy:
    return new_hierarchy(begins=now - timedelta(days=100))


def der(holder: Holder) -> bytes:
    return holder.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "bes.example", "::1"])
def test_server_and_client_know_each_other(
    company: Hierarchy, now: datetime, tmp_path: Path, address: str
) -> None:
    server = company.server(("127.0.0.1", "localhost", "bes.example", "::1"), now)
    client = company.client(now=now)
    both = contexts(tmp_path, server, client, company.trust, now)
    assert handshake(*both, address) == (der(client), der(server))


def test_a_client_on_neither_list_is_let_in(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client, other = company.client(now=now), company.client("site-b-01", now)
    listening, calling = contexts(tmp_path, company.server(now=now), client, company.trust, now)
    check_revocation(listening, company.revoking(other, now=now), tmp_path)
    assert handshake(listening, calling)[0] == der(client)


def test_during_a_rotation_hosts_of_the_old_and_the_new_root_reach_each_other(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    new = new_root("new root", now)
    cross = cross_certify(company.root, new.certificate, now, new_serial())
    after = Hierarchy(new, new_intermediate(new, "new issuing", now, (cross,)))
    both_roots = accept_root(company.trust, new.certificate, cross, now)

    server, client = after.server(now=now), after.client(now=now)
    for trust in (company.trust, both_roots, after.trust):
        assert handshake(*contexts(tmp_path, server, client, trust, now))[1] == der(server)
    old_server, old_client = company.server(now=now), company.client(now=now)
    assert handshake(*contexts(tmp_path, old_server, client, both_roots, now))[0] == der(client)
    assert handshake(*contexts(tmp_path, server, old_client, both_roots, now))[0] == der(old_client)


def test_a_renewed_certificate_of_a_new_key_serves_at_once(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    first, second = company.client(now=now - timedelta(days=5)), company.client(now=now)
    server = company.server(now=now)
    for client in (first, second):
        both = contexts(tmp_path, server, client, company.trust, now)
        assert handshake(*both)[0] == der(client)
