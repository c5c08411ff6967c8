"""`bes keys` makes a key file from files, shows public keys only, and replaces nothing."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.signer.key_file.cli import DONE, REFUSED, main
from agent.signer.key_file.files import read_key_file
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyPath
from shared.bitcoin.networks import Network
from shared.secret import Secret

WORDS = "abandon " * 11 + "about"
ROOT = ExtendedPrivateKey.of_seed(bytes(range(32)))
PATH = KeyPath.parse("48h/1h/0h/2h")
ACCOUNT = ROOT.derive(PATH)
SECRETS = f"{WORDS}\n\n[{ROOT.fingerprint.hex()}/{PATH}]{ACCOUNT.serialise(Network.REGTEST)}\n"


@dataclass(frozen=True)
class Host:
    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)

    def run(self, *arguments: str) -> int:
        passphrase = str(self.folder / "passphrase")
        return main([*arguments, "--file", str(self.keys), "--passphrase-file", passphrase])

    def make(self) -> int:
        return self.run("make", "--network", "regtest", "--secrets", str(self.folder / "secrets"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.write("passphrase", "correct horse battery staple\n")
    made.write("secrets", SECRETS)
    return made


def test_words_and_an_account_go_in_and_their_public_keys_are_shown(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert host.make() == DONE
    assert host.run("show", "--path", str(PATH)) == DONE
    said = capsys.readouterr().out
    assert f"[{ROOT.fingerprint.hex()}/{PATH}]{ACCOUNT.public.serialise(Network.REGTEST)}" in said
    assert f"[73c5da0a/{PATH}]tpub" in said
    assert "tprv" not in said
    assert "abandon" not in said
    content = read_key_file(host.keys, Secret(b"correct horse battery staple"))
    assert content.network is Network.REGTEST


def test_a_key_file_that_is_there_is_not_replaced(host: Host) -> None:
    assert host.make() == DONE
    before = host.keys.read_bytes()
    assert host.make() == REFUSED
    assert host.keys.read_bytes() == before


@pytest.mark.parametrize(
    "secrets", ["", "\xff\n", WORDS + " about\n", "tprvsecret\n", f"{WORDS}\n{WORDS}\n"]
)
def test_secrets_that_are_none_make_no_file_and_are_not_shown(
    secrets: str, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.write("secrets", secrets)
    assert host.make() == REFUSED
    assert not host.keys.exists()
    said = capsys.readouterr().err
    assert said.startswith("bes keys: ")
    assert "secret\n" not in said
    assert "abandon" not in said


def test_secrets_that_others_can_read_are_refused(host: Host) -> None:
    (host.folder / "secrets").chmod(0o644)
    assert host.make() == REFUSED
    assert not host.keys.exists()
