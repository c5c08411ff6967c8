"""Attacks with certificates: refused in the TLS handshake, and by the suite's own verification."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from shared.identity.errors import (
    ChainError,
    ExpiredError,
    ForeignAuthorityError,
    MalformedError,
    NotYetValidError,
    RevokedError,
    StaleListError,
    WrongNameError,
    WrongPurposeError,
)
from shared.identity.issuing import Issuer, issue_leaf
from shared.identity.names import subject
from shared.identity.profiles import Purpose, Subject, leaf_certificate, validity
from shared.identity.requests import LeafRequest
from shared.identity.verification import verify_client, verify_server
from tests.identities import (
    ADDRESSES,
    NODE,
    Hierarchy,
    Holder,
    check_revocation,
    contexts,
    handshake,
    new_hierarchy,
    new_intermediate,
    new_key,
    new_serial,
)


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def company(now: datetime) -> Hierarchy:
    return new_hierarchy("acme", now - timedelta(days=100))


@pytest.fixture(scope="module")
def stranger(now: datetime) -> Hierarchy:
    return new_hierarchy("acme", now - timedelta(days=100))


def refused(
    folder: Path, company: Hierarchy, now: datetime, client: Holder | None, message: str
) -> None:
    """The company's server does not let this client in."""
    both = contexts(folder, company.server(now=now), client, company.trust, now)
    with pytest.raises(ssl.SSLError, match=message):
        handshake(*both)


def test_a_client_of_another_authority_with_the_same_names_is_refused(
    company: Hierarchy, stranger: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client = stranger.client(now=now)
    refused(tmp_path, company, now, client, "(?i)verify failed")
    with pytest.raises(ForeignAuthorityError, match=NODE):
        verify_client(client.chain, company.trust, now)


def test_a_foreign_leaf_shown_with_our_intermediate_is_refused(
    company: Hierarchy, stranger: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    theirs = stranger.client(now=now)
    dressed = Holder(theirs.key, theirs.certificate, company.issuer.chain)
    refused(tmp_path, company, now, dressed, "(?i)verify failed")
    with pytest.raises(ForeignAuthorityError):
        verify_client(dressed.chain, company.trust, now)


def test_a_server_of_another_authority_is_refused(
    company: Hierarchy, stranger: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client, server = company.client(now=now), stranger.server(now=now)
    both = contexts(tmp_path, server, client, company.trust, now)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)verify failed"):
        handshake(*both)
    with pytest.raises(ForeignAuthorityError):
        verify_server(server.chain, company.trust, now, ADDRESSES[0])


def test_a_client_without_a_certificate_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    refused(tmp_path, company, now, None, "(?i)did not return a certificate")


def test_an_expired_client_is_refused_and_the_message_names_both_times(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client = company.client(now=now - timedelta(days=8))
    refused(tmp_path, company, now, client, "(?i)expired")
    with pytest.raises(ExpiredError, match=f"clock says {now:%Y-%m-%d}T") as caught:
        verify_client(client.chain, company.trust, now)
    assert caught.value.ended == client.certificate.not_valid_after_utc


def test_an_expired_server_is_refused(company: Hierarchy, now: datetime, tmp_path: Path) -> None:
    server = company.server(now=now - timedelta(days=8))
    both = contexts(tmp_path, server, company.client(now=now), company.trust, now)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(*both)
    with pytest.raises(ExpiredError):
        verify_server(server.chain, company.trust, now, ADDRESSES[0])


def test_a_certificate_from_the_future_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client = company.client(now=now + timedelta(days=30))
    refused(tmp_path, company, now, client, "not yet valid")
    with pytest.raises(NotYetValidError):
        verify_client(client.chain, company.trust, now)


def test_a_host_whose_clock_is_years_behind_is_told_to_set_it(
    company: Hierarchy, now: datetime
) -> None:
    server = company.server(now=now)
    with pytest.raises(NotYetValidError) as caught:
        verify_server(server.chain, company.trust, datetime(2019, 1, 1, tzinfo=UTC), ADDRESSES[0])
    begins = server.certificate.not_valid_before_utc
    assert str(caught.value) == (
        "this host's clock says 2019-01-01T00:00:00Z, the certificate of broker begins "
        f"{begins:%Y-%m-%dT%H:%M:%SZ}: set the clock"
    )


def test_a_wrong_clock_excuses_no_foreign_certificate(
    company: Hierarchy, stranger: Hierarchy, now: datetime
) -> None:
    server = stranger.server(now=now)
    with pytest.raises(ForeignAuthorityError):
        verify_server(server.chain, company.trust, datetime(2019, 1, 1, tzinfo=UTC), ADDRESSES[0])


def test_a_server_under_another_address_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    server = company.server(("bes.example", "10.0.0.1"), now)
    listening, calling = contexts(tmp_path, server, company.client(now=now), company.trust, now)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(listening, calling, "127.0.0.1")
    for address in ("127.0.0.1", "other.example", "sub.bes.example", "*.example", ""):
        with pytest.raises(WrongNameError, match=r"bes\.example"):
            verify_server(server.chain, company.trust, now, address)


def test_a_client_with_another_nodes_name_is_refused(company: Hierarchy, now: datetime) -> None:
    client = company.client("site-b-01", now)
    with pytest.raises(WrongNameError, match=r"'site-b-01', expected 'site-a-01'"):
        verify_client(client.chain, company.trust, now, node=NODE)


@pytest.mark.parametrize("side", ["server", "client"])
def test_tls_1_2_is_refused(company: Hierarchy, now: datetime, tmp_path: Path, side: str) -> None:
    both = contexts(tmp_path, company.server(now=now), company.client(now=now), company.trust, now)
    old = both[0] if side == "server" else both[1]
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
        handshake(*both)


def test_a_revoked_client_is_refused(company: Hierarchy, now: datetime, tmp_path: Path) -> None:
    client = company.client(now=now)
    crl = company.revoking(client, now=now)
    listening, calling = contexts(tmp_path, company.server(now=now), client, company.trust, now)
    check_revocation(listening, crl, tmp_path)
    with pytest.raises(ssl.SSLError, match="revoked"):
        handshake(listening, calling)
    with pytest.raises(RevokedError, match=f"{client.certificate.serial_number:x}"):
        verify_client(client.chain, company.trust, now, lists=[crl])


def test_a_revoked_server_is_refused(company: Hierarchy, now: datetime, tmp_path: Path) -> None:
    server = company.server(now=now)
    crl = company.revoking(server, now=now)
    listening, calling = contexts(tmp_path, server, company.client(now=now), company.trust, now)
    check_revocation(calling, crl, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        handshake(listening, calling)
    with pytest.raises(RevokedError):
        verify_server(server.chain, company.trust, now, ADDRESSES[0], lists=[crl])


def test_a_list_past_its_end_lets_nobody_in(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client = company.client(now=now)
    crl = company.revoking(now=now - timedelta(days=8))
    listening, calling = contexts(tmp_path, company.server(now=now), client, company.trust, now)
    check_revocation(listening, crl, tmp_path)
    with pytest.raises(ssl.SSLError, match="CRL has expired"):
        handshake(listening, calling)
    with pytest.raises(StaleListError):
        verify_client(client.chain, company.trust, now, lists=[crl])


def test_a_forged_list_that_frees_a_revoked_client_is_not_believed(
    company: Hierarchy, stranger: Hierarchy, now: datetime
) -> None:
    client = company.client(now=now)
    forged = stranger.revoking(number=1_000, now=now)
    genuine = company.revoking(client, now=now)
    with pytest.raises(RevokedError):
        verify_client(client.chain, company.trust, now, lists=[forged, genuine])
    with pytest.raises(StaleListError, match="no revocation list"):
        verify_client(client.chain, company.trust, now, lists=[forged])


def test_an_older_list_beside_the_newest_frees_nobody(company: Hierarchy, now: datetime) -> None:
    client = company.client(now=now)
    old, new = company.revoking(number=1, now=now), company.revoking(client, number=2, now=now)
    for lists in ([old, new], [new, old]):
        with pytest.raises(RevokedError):
            verify_client(client.chain, company.trust, now, lists=lists)


def test_a_client_that_poses_as_a_server_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    client = company.client("localhost", now)
    both = contexts(tmp_path, client, company.client(now=now), company.trust, now)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)purpose"):
        handshake(*both, "localhost")
    with pytest.raises(WrongPurposeError, match="not for a server"):
        verify_server(client.chain, company.trust, now, "localhost")


def test_a_server_that_poses_as_a_client_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    server = company.server(now=now)
    refused(tmp_path, company, now, server, "(?i)purpose")
    with pytest.raises(WrongPurposeError, match="not for a client"):
        verify_client(server.chain, company.trust, now)


def test_a_node_that_signs_for_another_node_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    node = company.client(now=now)
    signer = Issuer(node.key, node.certificate, node.behind)
    key = new_key()
    leaf = issue_leaf(signer, LeafRequest("site-b-01", key.public_key()), now, new_serial())
    forged = Holder(key, leaf, signer.chain)
    refused(tmp_path, company, now, forged, "(?i)verify failed")
    with pytest.raises(ForeignAuthorityError):
        verify_client(forged.chain, company.trust, now)


def test_an_intermediate_below_the_intermediate_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    below = new_hierarchy("below", now)
    rogue = new_intermediate(company.issuer, "rogue", now, company.issuer.chain)
    client = Hierarchy(below.root, rogue).client(now=now)
    refused(tmp_path, company, now, client, "(?i)verify failed")
    with pytest.raises(ForeignAuthorityError):
        verify_client(client.chain, company.trust, now)


def test_a_certificate_that_signs_itself_is_refused(
    company: Hierarchy, now: datetime, tmp_path: Path
) -> None:
    key = new_key()
    name = subject(NODE)
    who = Subject(name, key.public_key(), new_serial())
    when = validity(now, timedelta(days=7))
    alone = Holder(key, leaf_certificate(who, (name, key), when, Purpose.CLIENT, None), ())
    refused(tmp_path, company, now, alone, "(?i)verify failed")
    with pytest.raises(ForeignAuthorityError):
        verify_client(alone.chain, company.trust, now)


@pytest.mark.parametrize(
    "name", ["../broker", "Site-A", "a b", "a/b", "+", "#", "a\x00b", "x" * 64]
)
def test_a_certificate_whose_name_is_no_node_is_refused(
    company: Hierarchy, now: datetime, name: str
) -> None:
    key = new_key()
    who = Subject(subject(name), key.public_key(), new_serial())
    when = validity(now, timedelta(days=7))
    leaf = leaf_certificate(who, company.issuer.signer(now), when, Purpose.CLIENT, None)
    with pytest.raises(ChainError, match="no node"):
        verify_client((leaf, *company.issuer.chain), company.trust, now)


def test_a_certificate_with_a_second_name_is_refused(company: Hierarchy, now: datetime) -> None:
    key = new_key()
    two = x509.Name([*subject(NODE), *subject("site-b-01")])
    who = Subject(two, key.public_key(), new_serial())
    when = validity(now, timedelta(days=7))
    leaf = leaf_certificate(who, company.issuer.signer(now), when, Purpose.CLIENT, None)
    with pytest.raises(ChainError, match="one common name"):
        verify_client((leaf, *company.issuer.chain), company.trust, now)


def test_an_endless_chain_is_refused_before_it_is_read(company: Hierarchy, now: datetime) -> None:
    client = company.client(now=now)
    with pytest.raises(MalformedError, match="1 to 6"):
        verify_client((client.certificate, *company.issuer.chain * 1_000), company.trust, now)
    with pytest.raises(MalformedError, match="1 to 6"):
        verify_client((), company.trust, now)
