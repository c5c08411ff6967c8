"""The whole ceremony through the command line, and what comes of it in TLS."""

import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.ca import intermediate, sealed
from provisioning.ca.errors import CeremonyError
from provisioning.ca.intermediate import IntermediateFolder
from provisioning.ca.root import RootFolder
from shared.identity.pem import read_certificate, read_certificates, read_list
from shared.identity.revocation import list_number
from shared.identity.trust import read_bundle
from shared.identity.verification import verify_client
from tests.ceremonies import Ceremony
from tests.identities import Hierarchy, contexts, handshake


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "COST", 1 << 14)


@pytest.fixture
def ceremony(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ceremony:
    return Ceremony(tmp_path, capsys)


def hierarchy(root: RootFolder, authority: IntermediateFolder) -> Hierarchy:
    """What a controller issues with; the root's key is not there, so the intermediate stands in."""
    issuer = authority.current.issuer()
    assert read_certificate(root.certificate.read_bytes()).subject == issuer.certificate.issuer
    return Hierarchy(issuer, issuer)


def test_what_was_installed_issues_what_tls_accepts(ceremony: Ceremony, tmp_path: Path) -> None:
    ceremony.whole()
    now = datetime.now(UTC)
    issued = hierarchy(ceremony.root, ceremony.authority)
    trust = read_bundle(ceremony.authority.roots.read_bytes())
    server, client = issued.server(now=now), issued.client(now=now)
    assert all(handshake(*contexts(tmp_path, server, client, trust, now)))


def test_every_file_is_private_and_the_roots_key_is_not_with_the_intermediate(
    ceremony: Ceremony,
) -> None:
    ceremony.whole()
    for path in ceremony.folder.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    keys = [name for name, data in ceremony.files().items() if b"PRIVATE KEY" in data]
    generation = ceremony.authority.current.path.resolve().name
    assert keys == [f"authority/generations/{generation}/key.pem", "root/root.key"]
    assert b"ENCRYPTED PRIVATE KEY" in ceremony.root.key.read_bytes()


def test_every_step_taken_again_changes_nothing(ceremony: Ceremony) -> None:
    ceremony.whole()
    request = ceremony.authority.current.request.resolve()
    fingerprint = ceremony.shown(ceremony.authority.current.chain)[0]["fingerprint"]
    signed = next(ceremony.folder.glob("signed-*.pem"))
    ceremony.run("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    before = ceremony.files()
    assert ceremony.init().startswith("stands already")
    again = ceremony.run(*ceremony.signing(request, str(fingerprint), signed))
    assert again.startswith("signed before")
    assert ceremony.run(*ceremony.installing(signed)).startswith("installed before")
    list_again = ceremony.run("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    assert list_again.startswith("not due")
    assert ceremony.files() == before


def test_a_request_that_waits_is_named_again(ceremony: Ceremony) -> None:
    assert ceremony.request() == ceremony.request()
    assert len(ceremony.authority.generations) == 1


def test_a_root_is_finished_after_a_crash_between_its_key_and_its_certificate(
    ceremony: Ceremony,
) -> None:
    ceremony.init()
    fingerprint = ceremony.root_fingerprint()
    ceremony.root.certificate.unlink()
    assert ceremony.init().startswith("made")
    assert ceremony.root_fingerprint() == fingerprint


def test_an_installation_is_finished_after_a_crash_at_any_step(ceremony: Ceremony) -> None:
    ceremony.init()
    fingerprint = ceremony.root_fingerprint()
    signed = ceremony.sign(*ceremony.request())
    ceremony.run(*ceremony.installing(signed, fingerprint))
    whole = ceremony.files()
    authority = ceremony.authority
    for remains in ("roots", "chain"):
        authority.current.path.unlink()
        if remains == "roots":
            (chain,) = authority.path.glob("generations/*/chain.pem")
            chain.unlink()
        ceremony.run(*ceremony.installing(signed))
        assert ceremony.files() == whole


def test_a_crash_before_the_request_was_written_loses_no_key(ceremony: Ceremony) -> None:
    file, fingerprint = ceremony.request()
    file.unlink()
    again, same = ceremony.request()
    assert (again, same) == (file, fingerprint)


def test_a_rotation_keeps_every_host_connected(ceremony: Ceremony, tmp_path: Path) -> None:
    ceremony.whole()
    now = datetime.now(UTC)
    before = hierarchy(ceremony.root, ceremony.authority)
    old_trust = read_bundle(ceremony.authority.roots.read_bytes())
    old_client = before.client(now=now)

    new_root = RootFolder(ceremony.folder / "root-2")
    printed = ceremony.run(*rotating(ceremony, new_root))
    until = now + timedelta(days=180)
    assert f"vouches for it until {until:%Y-%m-%d}" in printed
    signed = ceremony.sign(*ceremony.request("Acme issuing 2"), root=new_root)
    ceremony.run(*ceremony.installing(signed))

    after = hierarchy(new_root, ceremony.authority)
    trust = read_bundle(ceremony.authority.roots.read_bytes())
    assert len(trust.roots) == 2
    server, client = after.server(now=now), after.client(now=now)
    for pinned in (old_trust, trust):
        assert all(handshake(*contexts(tmp_path, server, client, pinned, now)))
    assert all(handshake(*contexts(tmp_path, server, old_client, trust, now)))
    assert len(ceremony.authority.generations) == 2
    before_files = ceremony.files()
    third = ("rotate", "--old", new_root.path, "--folder", ceremony.folder / "root-3", "--name")
    old = ("--old-passphrase-file", ceremony.passphrase_file, *ceremony.passphrase())
    assert "overlap of the last rotation" in ceremony.refused(*third, "Acme root 3", *old)
    assert ceremony.run(*rotating(ceremony, new_root)).startswith("stands already")
    assert ceremony.files() == before_files


def rotating(ceremony: Ceremony, new_root: RootFolder) -> tuple[object, ...]:
    return (
        *("rotate", "--old", ceremony.root.path, "--folder", new_root.path),
        *("--name", "Acme root 2", "--old-passphrase-file", ceremony.passphrase_file),
        *ceremony.passphrase(),
    )


def test_the_old_root_goes_when_the_overlap_is_over_and_not_before(ceremony: Ceremony) -> None:
    ceremony.whole()
    new_root = RootFolder(ceremony.folder / "root-2")
    ceremony.run(*rotating(ceremony, new_root))
    retire = ("intermediate", "retire", "--folder", ceremony.authority.path)
    late = datetime.now(UTC) + timedelta(days=181)
    for now in (late - timedelta(days=181), late):
        assert intermediate.retire(ceremony.authority, now) == ()  # the new root is not held yet

    ceremony.run(*ceremony.installing(ceremony.sign(*ceremony.request("Acme issuing 2"), new_root)))
    assert "no root's overlap" in ceremony.run(*retire)
    assert len(read_bundle(ceremony.authority.roots.read_bytes()).roots) == 2
    with pytest.raises(CeremonyError, match="set the clock"):
        intermediate.retire(ceremony.authority, late + timedelta(days=4_000))

    (gone,) = intermediate.retire(ceremony.authority, late)
    assert gone == read_certificate(ceremony.root.certificate.read_bytes())
    (kept,) = read_bundle(ceremony.authority.roots.read_bytes()).roots
    assert kept == read_certificate(new_root.certificate.read_bytes())
    assert intermediate.retire(ceremony.authority, late) == ()


def test_a_revoked_intermediate_is_on_the_roots_next_list(ceremony: Ceremony) -> None:
    ceremony.whole()
    leaf_issuer = read_certificates(ceremony.authority.current.chain.read_bytes())[0]
    crl = ("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    assert ceremony.run(*crl).startswith("issued")
    first = read_list(ceremony.root.list.read_bytes())
    serial = f"{leaf_issuer.serial_number:x}"
    assert "number 2, 1 revoked" in ceremony.run(*crl, "--revoke", serial)
    second = read_list(ceremony.root.list.read_bytes())
    assert (list_number(first), list_number(second)) == (1, 2)
    assert second.get_revoked_certificate_by_serial_number(leaf_issuer.serial_number) is not None
    assert ceremony.run(*crl, "--revoke", serial).startswith("not due")

    now = datetime.now(UTC)
    issued = hierarchy(ceremony.root, ceremony.authority)
    trust = read_bundle(ceremony.authority.roots.read_bytes())
    client, leaves = issued.client(now=now), issued.revoking(now=now)
    assert verify_client(client.chain, trust, now, lists=[leaves, first]).node
    with pytest.raises(Exception, match="was revoked"):
        verify_client(client.chain, trust, now, lists=[leaves, second])


def test_what_stands_is_shown_with_its_end_and_fingerprint(ceremony: Ceremony) -> None:
    ceremony.whole()
    ceremony.run("crl", "--root", ceremony.root.path, *ceremony.passphrase())
    kinds = [row["kind"] for row in ceremony.shown(ceremony.root.path)]
    assert kinds == ["root", "revocation list", "intermediate"]
    assert [row["kind"] for row in ceremony.shown(ceremony.authority.path)] == [
        "root",
        "intermediate",
    ]
    text = ceremony.run("show", ceremony.root.path)
    assert "root 'Acme root 1', ends 20" in text
    assert ceremony.root_fingerprint() in text


def test_a_step_that_fails_says_which_file(ceremony: Ceremony) -> None:
    assert "absent" in ceremony.refused("show", ceremony.folder / "absent")
    ceremony.init()
    shutil.rmtree(ceremony.root.path / "issued", ignore_errors=True)
    empty = ceremony.folder / "empty"
    empty.mkdir()
    assert "nothing of an authority" in ceremony.refused("show", empty)
