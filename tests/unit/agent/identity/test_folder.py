"""The identity folder: keys stay, generations switch whole, nothing is left half done."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from agent.identity.folder import Credentials, IdentityFolder, write_file
from controller.enrolment.authority import read_request
from shared.identity.pem import read_certificates
from shared.identity.requests import build_request
from shared.identity.trust import TrustBundle
from shared.time import to_ms
from tests.enrolments import CertificateAuthority, new_key

CA = CertificateAuthority("ours")


def credentials(key: ec.EllipticCurvePrivateKey) -> Credentials:
    """What the controller would have signed for a key."""
    authority = CA.authority()
    request = read_request(build_request(key, "site-a-01").public_bytes(Encoding.DER))
    issued = authority.issue(request, to_ms(datetime.now(UTC)))
    return Credentials(
        key, read_certificates(authority.chain_pem(issued.der, issued.issuer).encode())
    )


@pytest.fixture
def folder(tmp_path: Path) -> IdentityFolder:
    """An empty folder."""
    made = IdentityFolder(tmp_path / "identity")
    made.prepare()
    return made


def test_a_key_waits_on_disk_readable_by_its_owner_only(folder: IdentityFolder) -> None:
    key = folder.pending_key()
    assert folder.pending_key().private_numbers() == key.private_numbers()
    assert stat.S_IMODE((folder.path / "pending.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_key_and_certificate_are_switched_together(folder: IdentityFolder) -> None:
    assert folder.current() is None
    first, second = credentials(new_key()), credentials(new_key())
    for these in (first, second):
        folder.install(these)
        current = folder.current()
        assert current is not None
        assert current.leaf == these.leaf
        assert current.key.private_numbers() == these.key.private_numbers()
    assert stat.S_IMODE(folder.key_file.stat().st_mode) == 0o600


def test_the_one_before_stays_until_it_is_dropped(folder: IdentityFolder) -> None:
    folder.install(credentials(new_key()))
    assert not folder.has_old()
    folder.install(credentials(new_key()))
    assert folder.has_old()
    folder.drop_old()
    assert not folder.has_old()
    assert folder.current() is not None


def test_a_certificate_for_another_key_is_not_installed(folder: IdentityFolder) -> None:
    folder.install(credentials(new_key()))
    before = folder.certificate_file.read_bytes(), folder.key_file.read_bytes()
    with pytest.raises(ValueError, match="another key"):
        folder.install(Credentials(new_key(), credentials(new_key()).chain))
    assert (folder.certificate_file.read_bytes(), folder.key_file.read_bytes()) == before
    assert not folder.has_old()


def test_a_key_in_use_is_not_asked_to_be_signed_again(folder: IdentityFolder) -> None:
    key = folder.pending_key()
    folder.install(credentials(key))
    current = folder.current()
    assert current is not None
    assert folder.pending_key().private_numbers() == key.private_numbers()
    assert folder.pending_key(current).private_numbers() != key.private_numbers()


def test_an_installation_that_was_cut_off_is_in_nobodys_way(folder: IdentityFolder) -> None:
    cut_off = folder.path / "generations" / "1.new"
    cut_off.mkdir()
    (cut_off / "key.pem").write_text("half")
    (folder.path / "current.new").symlink_to("generations/1.new")
    folder.install(credentials(new_key()))
    assert folder.current() is not None


def test_what_is_pinned_is_kept(folder: IdentityFolder) -> None:
    trust = TrustBundle((CA.root,))
    folder.pin(trust, datetime.now(UTC))
    assert folder.trust() == trust
    assert read_certificates(folder.roots_file.read_bytes()) == (CA.root,)


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (tmp_path / "key.pem.new").symlink_to(elsewhere)
    write_file(tmp_path / "key.pem", b"secret", mode=0o600)
    assert elsewhere.read_text() == "untouched"
    assert (tmp_path / "key.pem").read_bytes() == b"secret"
