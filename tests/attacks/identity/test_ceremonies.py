"""Attacks on the ceremony: what is carried was exchanged, a folder is used twice, secrets lie open.

Every refusal leaves every file as it was.
"""

import shutil
from pathlib import Path

import pytest

from provisioning.ca import sealed
from provisioning.ca.cli import main
from provisioning.ca.root import RootFolder
from tests.ceremonies import PASSPHRASE, Ceremony


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "COST", 1 << 14)


@pytest.fixture
def ceremony(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ceremony:
    return Ceremony(tmp_path, capsys)


@pytest.fixture
def stranger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ceremony:
    folder = tmp_path / "stranger"
    folder.mkdir()
    return Ceremony(folder, capsys)


def test_a_request_exchanged_on_the_way_is_refused(ceremony: Ceremony, stranger: Ceremony) -> None:
    ceremony.init()
    _, fingerprint = ceremony.request()
    theirs, _ = stranger.request()
    out = ceremony.folder / "signed.pem"
    said = ceremony.refused(*ceremony.signing(theirs, fingerprint, out))
    assert "not of the one whose fingerprint was given" in said
    assert not out.exists()


def test_a_certificate_by_another_root_is_refused_at_the_first_installation(
    ceremony: Ceremony, stranger: Ceremony
) -> None:
    ceremony.init()
    stranger.init()
    theirs = stranger.sign(*ceremony.request())
    said = ceremony.refused(*ceremony.installing(theirs, ceremony.root_fingerprint()))
    assert "fingerprint" in said
    assert "needs the root's fingerprint" in ceremony.refused(*ceremony.installing(theirs))


def test_a_certificate_by_another_root_is_refused_later(
    ceremony: Ceremony, stranger: Ceremony
) -> None:
    ceremony.whole()
    stranger.init()
    theirs = stranger.sign(*ceremony.request("Acme issuing 2"))
    assert "no root vouches" in ceremony.refused(*ceremony.installing(theirs))
    fingerprint = stranger.root_fingerprint()
    assert "no root vouches" in ceremony.refused(*ceremony.installing(theirs, fingerprint))


def test_a_certificate_for_a_key_of_somebody_elses_is_refused(
    ceremony: Ceremony, stranger: Ceremony
) -> None:
    ceremony.init()
    ceremony.request()
    signed = ceremony.sign(*stranger.request())
    said = ceremony.refused(*ceremony.installing(signed, ceremony.root_fingerprint()))
    assert "none of the keys that were made here" in said


def test_the_root_itself_is_not_installed_as_an_intermediate(ceremony: Ceremony) -> None:
    ceremony.init()
    ceremony.request()
    root = ceremony.root.certificate
    said = ceremony.refused(*ceremony.installing(root, ceremony.root_fingerprint()))
    assert "none of the keys" in said


def test_a_wrong_passphrase_signs_nothing(ceremony: Ceremony) -> None:
    ceremony.init()
    request, fingerprint = ceremony.request()
    ceremony.passphrase_file.write_text("incorrect horse battery\n")
    out = ceremony.folder / "signed.pem"
    assert "wrong passphrase" in ceremony.refused(*ceremony.signing(request, fingerprint, out))
    crl = ("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    assert "wrong passphrase" in ceremony.refused(*crl)
    again = ("init", "--folder", ceremony.root.path, "--name", "Acme root 1")
    assert "wrong passphrase" in ceremony.refused(*again, *ceremony.passphrase())


@pytest.mark.parametrize("whose", ["passphrase", "root/root.key"])
def test_a_secret_that_others_could_read_is_refused(ceremony: Ceremony, whose: str) -> None:
    ceremony.init()
    (ceremony.folder / whose).chmod(0o644)
    crl = ("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    assert "open to others (mode 0644)" in ceremony.refused(*crl)


def test_no_step_takes_a_passphrase_from_the_command_line(
    ceremony: Ceremony, capsys: pytest.CaptureFixture[str]
) -> None:
    ceremony.init()
    place = str(ceremony.root.path)
    for option in ("--passphrase", "--password", "-p"):
        with pytest.raises(SystemExit) as ended:
            main(["crl", "--root", place, option, PASSPHRASE])
        assert ended.value.code != 0
    capsys.readouterr()
    assert not ceremony.root.list.exists()


def test_another_root_does_not_take_the_folder_of_the_first(ceremony: Ceremony) -> None:
    ceremony.init()
    other = ("init", "--folder", ceremony.root.path, "--name", "Another root")
    said = ceremony.refused(*other, *ceremony.passphrase())
    assert "holds the root 'Acme root 1' already" in said


def test_a_rotation_to_a_root_of_the_same_name_makes_nothing(ceremony: Ceremony) -> None:
    ceremony.init()
    said = ceremony.refused(
        *("rotate", "--old", ceremony.root.path, "--folder", ceremony.folder / "root-2"),
        *("--name", "Acme root 1", "--old-passphrase-file", ceremony.passphrase_file),
        *ceremony.passphrase(),
    )
    assert "needs its own" in said
    assert not (ceremony.folder / "root-2").exists()


def test_a_signed_certificate_does_not_overwrite_a_file(ceremony: Ceremony) -> None:
    ceremony.init()
    request, fingerprint = ceremony.request()
    signed = ceremony.sign(request, fingerprint)
    signed.write_bytes(b"something else")
    said = ceremony.refused(*ceremony.signing(request, fingerprint, signed))
    assert "not overwritten" in said


def test_a_second_request_does_not_displace_one_that_waits(ceremony: Ceremony) -> None:
    ceremony.request("Acme issuing 1")
    second = ("intermediate", "request", "--folder", ceremony.authority.path)
    assert "waits already" in ceremony.refused(*second, "--name", "Acme issuing 2")


def test_a_new_intermediate_does_not_take_an_earlier_ones_name(ceremony: Ceremony) -> None:
    ceremony.whole()
    second = ("intermediate", "request", "--folder", ceremony.authority.path)
    assert "needs its own" in ceremony.refused(*second, "--name", "Acme issuing 1")


def test_the_roots_key_with_another_roots_certificate_signs_nothing(
    ceremony: Ceremony, stranger: Ceremony
) -> None:
    ceremony.init()
    stranger.init()
    shutil.copy(stranger.root.certificate, ceremony.root.certificate)
    crl = ("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    assert "not the certificate's" in ceremony.refused(*crl)


@pytest.mark.parametrize("serial", ["../../etc/passwd", "xyz", "", "1234"])
def test_only_what_the_root_issued_can_be_revoked(ceremony: Ceremony, serial: str) -> None:
    ceremony.init()
    crl = ("crl", "--root", ceremony.root.path, "--revoke", serial, *ceremony.passphrase())
    said = ceremony.refused(*crl)
    assert "serial number" in said


def test_a_root_that_was_not_rotated_from_the_pinned_one_is_refused(
    ceremony: Ceremony, stranger: Ceremony
) -> None:
    """A new root with the right name, vouched for by a root of the old one's name, not its key."""
    ceremony.whole()
    stranger.init()
    rogue = RootFolder(stranger.folder / "root-2")
    stranger.run(
        *("rotate", "--old", stranger.root.path, "--folder", rogue.path, "--name", "Acme root 2"),
        *("--old-passphrase-file", stranger.passphrase_file, *stranger.passphrase()),
    )
    request, fingerprint = ceremony.request("Acme issuing 2")
    signed = stranger.sign(request, fingerprint, rogue)
    said = ceremony.refused(*ceremony.installing(signed))
    assert "no root pinned here vouches" in said
