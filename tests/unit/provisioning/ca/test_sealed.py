"""The root's key at rest."""

from pathlib import Path

import pytest

from provisioning.ca import sealed
from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import write_new
from provisioning.ca.sealed import SALT_BYTES, passphrase_from, seal, unseal
from shared.identity.errors import MalformedError
from shared.identity.keys import read_key
from tests.identities import new_key

PASSPHRASE = b"correct horse battery"


def test_a_sealed_key_opens_with_its_passphrase_only() -> None:
    key = new_key()
    kept = seal(key, PASSPHRASE, b"s" * SALT_BYTES)
    assert unseal(kept, PASSPHRASE).private_numbers() == key.private_numbers()
    with pytest.raises(CeremonyError, match="wrong passphrase"):
        unseal(kept, PASSPHRASE + b"x")


def test_the_passphrase_alone_does_not_open_it_without_the_stretching() -> None:
    kept = seal(new_key(), PASSPHRASE, b"s" * SALT_BYTES)
    with pytest.raises(MalformedError):
        read_key(kept, PASSPHRASE)


def test_a_damaged_or_foreign_key_file_is_refused() -> None:
    kept = seal(new_key(), PASSPHRASE, b"s" * SALT_BYTES)
    other_salt = kept.replace(b"salt=73", b"salt=74")
    with pytest.raises(CeremonyError, match="damaged"):
        unseal(other_salt, PASSPHRASE)
    for foreign in (b"", kept[10:], kept.replace(b"N=131072", b"N=00016")):
        with pytest.raises(CeremonyError, match="bes ca init"):
            unseal(foreign, PASSPHRASE)


@pytest.mark.parametrize("cost", [b"8192", b"131071", b"2097152", b"9999999"])
def test_a_cost_out_of_bounds_is_refused(cost: bytes) -> None:
    kept = seal(new_key(), PASSPHRASE, b"s" * SALT_BYTES)
    with pytest.raises(CeremonyError, match="bes ca init"):
        unseal(kept.replace(b"N=131072", b"N=" + cost), PASSPHRASE)


def test_a_passphrase_is_the_first_line_of_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    write_new(file, PASSPHRASE + b"\r\nand a note\n")
    assert passphrase_from(file, "the root", new=True) == PASSPHRASE
    file.chmod(0o644)
    with pytest.raises(CeremonyError, match="open to others"):
        passphrase_from(file, "the root", new=True)


@pytest.mark.parametrize("passphrase", [b"", b"short", b"x" * 1_025])
def test_a_passphrase_too_short_or_too_long_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    write_new(tmp_path / "passphrase", passphrase)
    with pytest.raises(CeremonyError, match="12 to 1024"):
        passphrase_from(tmp_path / "passphrase", "the root", new=True)


def test_a_new_passphrase_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["correct horse battery", "correct horse battery", "one thing typed", "another"])
    monkeypatch.setattr(sealed, "getpass", lambda _prompt: next(answers))
    assert passphrase_from(None, "the root", new=True) == PASSPHRASE
    with pytest.raises(CeremonyError, match="differ"):
        passphrase_from(None, "the root", new=True)


def test_without_a_terminal_a_file_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(sealed, "getpass", ended)
    with pytest.raises(CeremonyError, match="name a file"):
        passphrase_from(None, "the root", new=False)


def test_a_known_passphrase_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return PASSPHRASE.decode()

    monkeypatch.setattr(sealed, "getpass", answer)
    assert passphrase_from(None, "the old root", new=False) == PASSPHRASE
    assert asked == ["Passphrase of the old root: "]
