"""The throw-away authority issues what a real one does, also what is long over."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.authority import Authority, Credentials
from shared.identity.errors import (
    ExpiredError,
    ForeignAuthorityError,
    NotYetValidError,
    RevokedError,
    StaleListError,
)
from shared.identity.keys import read_key
from shared.identity.pem import read_certificate, read_certificates, read_list
from shared.identity.verification import verify_client, verify_server


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("tests")


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def verify(credentials: Credentials, authority: Authority, now: datetime) -> str:
    chain = read_certificates(credentials.certificate_file.read_bytes())
    return verify_client(chain, authority.trust, now).node


def test_a_client_is_known_by_its_name(authority: Authority, tmp_path: Path, now: datetime) -> None:
    credentials = authority.issue(tmp_path, "site-a-01")
    assert verify(credentials, authority, now) == "site-a-01"
    key = read_key(credentials.key_file.read_bytes())
    leaf = read_certificates(credentials.certificate_file.read_bytes())[0]
    assert key.public_key() == leaf.public_key()
    assert stat.S_IMODE(credentials.key_file.stat().st_mode) == 0o600


def test_a_server_is_known_by_its_addresses(
    authority: Authority, tmp_path: Path, now: datetime
) -> None:
    credentials = authority.issue(tmp_path, "broker", ("127.0.0.1", "localhost"))
    chain = read_certificates(credentials.certificate_file.read_bytes())
    for address in ("127.0.0.1", "localhost"):
        assert verify_server(chain, authority.trust, now, address).node == "broker"


def test_two_authorities_of_one_name_do_not_know_each_other(
    authority: Authority, tmp_path: Path, now: datetime
) -> None:
    credentials = Authority("tests").issue(tmp_path, "site-a-01")
    with pytest.raises(ForeignAuthorityError):
        verify(credentials, authority, now)


@pytest.mark.parametrize(
    ("away", "error"),
    [(timedelta(days=-300), ExpiredError), (timedelta(days=300), NotYetValidError)],
)
def test_it_issues_what_is_over_or_not_yet_valid(
    authority: Authority, tmp_path: Path, now: datetime, away: timedelta, error: type[Exception]
) -> None:
    credentials = authority.issue(tmp_path, "site-a-01", now=now + away, lifetime=timedelta(days=7))
    with pytest.raises(error):
        verify(credentials, authority, now)
    assert verify(credentials, authority, now + away) == "site-a-01"


def test_its_list_names_who_was_revoked(tmp_path: Path, now: datetime) -> None:
    authority = Authority("tests")
    gone, stays = (authority.issue(tmp_path, name) for name in ("site-a-01", "site-b-01"))
    authority.revoke(gone)
    lists = [read_list(authority.write_list(tmp_path / "list.crl").read_bytes())]
    chains = [read_certificates(each.certificate_file.read_bytes()) for each in (gone, stays)]
    with pytest.raises(RevokedError):
        verify_client(chains[0], authority.trust, now, lists=lists)
    assert verify_client(chains[1], authority.trust, now, lists=lists).node == "site-b-01"


def test_it_issues_a_list_that_is_over(authority: Authority, tmp_path: Path, now: datetime) -> None:
    path = authority.write_list(tmp_path / "list.crl", now=now - timedelta(days=8))
    chain = read_certificates(authority.issue(tmp_path, "a").certificate_file.read_bytes())
    with pytest.raises(StaleListError):
        verify_client(chain, authority.trust, now, lists=[read_list(path.read_bytes())])


def test_the_root_is_what_is_written(authority: Authority, tmp_path: Path) -> None:
    path = authority.write_certificate(tmp_path / "ca.pem")
    assert read_certificate(path.read_bytes()) == authority.trust.roots[0]
