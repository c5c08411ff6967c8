"""A key file opens for its passphrase and its owner, as it was written, and for nothing else."""

import stat
from pathlib import Path

import pytest

from agent.signer.key_file.content import Content, HeldSecret, read_content, write_content
from agent.signer.key_file.errors import (
    ExposedFileError,
    KeyFileError,
    LockedKeyFileError,
    MalformedKeyFileError,
)
from agent.signer.key_file.files import (
    read_credential,
    read_key_file,
    read_passphrase,
    write_key_file,
)
from agent.signer.key_file.sealing import HEADER_BYTES, Cost, seal, unseal
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.errors import KeyMaterialError
from shared.bitcoin.networks import Network
from shared.secret import Secret

PASSPHRASE = Secret(b"correct horse battery staple")
LEAST = Cost(memory_kib=19 * 1024, passes=2, lanes=1)
WORDS = Secret(b"abandon " * 11 + b"about")
ROOT = ExtendedPrivateKey.of_seed(bytes(range(32)))
ACCOUNT = KeyPath.parse("86h/1h/0h")
CONTENT = Content(
    Network.REGTEST,
    (
        HeldSecret.of_mnemonic(WORDS),
        HeldSecret(KeyOrigin(ROOT.fingerprint, ACCOUNT), ROOT.derive(ACCOUNT)),
    ),
)
SEALED = seal(write_content(CONTENT), PASSPHRASE, bytes(range(16)), bytes(range(12)), LEAST)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    write_key_file(path, CONTENT, PASSPHRASE, LEAST)
    return path


def _texts(content: Content) -> list[tuple[str, str]]:
    return [(str(one.origin), one.key.serialise(content.network)) for one in content.keys]


def test_what_is_written_is_read_again_and_lies_there_for_its_owner_alone(file: Path) -> None:
    assert _texts(read_key_file(file, PASSPHRASE)) == _texts(CONTENT)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["keys"]
    assert str(CONTENT.keys[0].origin) == "73c5da0a"  # BIP86's test vectors


def test_two_files_of_the_same_keys_have_nothing_in_common_behind_their_parameters(
    file: Path,
) -> None:
    before = file.read_bytes()
    write_key_file(file, CONTENT, PASSPHRASE, LEAST)
    after = file.read_bytes()
    assert before[18:46] != after[18:46]
    assert before[HEADER_BYTES:] != after[HEADER_BYTES:]


def test_another_passphrase_does_not_open_it(file: Path) -> None:
    with pytest.raises(LockedKeyFileError):
        read_key_file(file, Secret(b"correct horse battery stapl3"))


@pytest.mark.parametrize("at", [17, 18, 33, 34, 45, HEADER_BYTES, len(SEALED) - 1])
def test_a_byte_changed_in_lanes_salt_nonce_ciphertext_or_tag_closes_it(at: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 2
    with pytest.raises(LockedKeyFileError):
        unseal(bytes(changed), PASSPHRASE)


@pytest.mark.parametrize("length", [0, 7, HEADER_BYTES - 1, HEADER_BYTES, len(SEALED) - 1])
def test_a_file_that_was_cut_off_is_malformed(length: int) -> None:
    with pytest.raises(MalformedKeyFileError):
        unseal(SEALED[:length], PASSPHRASE)


def test_a_file_that_goes_on_behind_its_end_or_begins_as_another_is_malformed() -> None:
    for other in (SEALED + b"\0", b"X" + SEALED[1:]):
        with pytest.raises(MalformedKeyFileError):
            unseal(other, PASSPHRASE)


@pytest.mark.parametrize(
    ("at", "value", "name"),
    [
        (8, b"\xff\xff\xff\xff", "memory_kib"),
        (8, b"\x00\x00\x00\x08", "memory_kib"),
        (12, b"\xff\xff\xff\xff", "passes"),
        (12, b"\x00\x00\x00\x01", "passes"),
        (16, b"\xff\xff", "lanes"),
        (16, b"\x00\x00", "lanes"),
    ],
)
def test_absurd_parameters_are_refused_by_name_before_they_cost_anything(
    at: int, value: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("argon2 was asked")

    monkeypatch.setattr("agent.signer.key_file.sealing.hash_secret_raw", never)
    changed = SEALED[:at] + value + SEALED[at + len(value) :]
    with pytest.raises(MalformedKeyFileError, match=name):
        unseal(changed, PASSPHRASE)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666])
def test_a_file_that_others_can_read_or_write_is_not_opened(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ExposedFileError, match=f"{mode:04o}"):
        read_key_file(file, PASSPHRASE)


def test_a_link_a_folder_and_a_missing_file_are_refused(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    for other in (link, file.parent, file.with_name("none")):
        with pytest.raises(KeyFileError):
            read_key_file(other, PASSPHRASE)


def test_a_file_longer_than_any_key_file_is_not_read_whole(file: Path) -> None:
    with file.open("ab") as longer:
        longer.write(bytes(100_000))
    with pytest.raises(KeyFileError, match="too long"):
        read_key_file(file, PASSPHRASE)


def test_a_passphrase_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE.reveal() + b"\r\n")
    path.chmod(0o400)
    assert read_passphrase(path).reveal() == PASSPHRASE.reveal()
    path.chmod(0o444)
    with pytest.raises(ExposedFileError):
        read_passphrase(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", b"x" * 1_025, b"x" * 20 + b"\ntwo"])
def test_a_passphrase_that_is_none_is_refused_without_being_shown(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as refused:
        read_passphrase(path)
    assert "short" not in str(refused.value)
    assert "xx" not in str(refused.value)


def test_a_credential_of_the_unit_is_found_by_name_and_by_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE.reveal())
    path.chmod(0o440)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_credential("passphrase", environment).reveal() == PASSPHRASE.reveal()
    for name, given in (("passphrase", {}), ("../passphrase", environment), ("", environment)):
        with pytest.raises(KeyFileError):
            read_credential(name, given)


def test_nothing_that_holds_a_key_shows_it() -> None:
    shown = repr(CONTENT) + repr(CONTENT.keys[0]) + repr(write_content(CONTENT))
    for origin_text, key_text in _texts(CONTENT):
        assert key_text not in shown
        assert origin_text.split("/")[0] in shown


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"network":"regtest","keys":[]}',
        b'{"network":"nowhere","keys":[]}',
        b'{"network":"regtest","keys":[{"origin":"73c5da0a","key":"tprvsecret"}]}',
        b'{"network":"regtest","keys":[{"origin":"73c5da0a"}]}',
        b'{"network":"regtest","keys":' + b"[" * 20_000,
    ],
)
def test_content_that_is_none_is_malformed_and_not_shown(text: bytes) -> None:
    with pytest.raises(MalformedKeyFileError) as refused:
        read_content(Secret(text))
    assert "tprvsecret" not in str(refused.value)


def test_a_key_does_not_enter_under_anothers_origin() -> None:
    for origin in (
        KeyOrigin(ROOT.fingerprint, KeyPath.parse("86h/1h")),
        KeyOrigin(ROOT.fingerprint, KeyPath.parse("86h/1h/1h")),
        KeyOrigin(bytes(4)),
    ):
        with pytest.raises(KeyMaterialError):
            HeldSecret(origin, ROOT.derive(ACCOUNT))
    with pytest.raises(MalformedKeyFileError, match="twice"):
        Content(Network.REGTEST, (CONTENT.keys[0], CONTENT.keys[0]))
