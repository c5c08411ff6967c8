"""Mnemonics and seeds are BIP39's, and a mistyped word is found."""

import hashlib
import unicodedata
from typing import Any

import pytest

from shared.bitcoin.bip39 import entropy_of, mnemonic_of, seed_of
from shared.bitcoin.errors import KeyMaterialError
from tests.unit.shared.bitcoin.vectors import load

VECTORS = load("bip39")
ABOUT = "abandon " * 11 + "about"


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["mnemonic"][:20])
def test_the_bips_vectors_are_met(vector: dict[str, Any]) -> None:
    mnemonic = vector["mnemonic"]
    assert seed_of(mnemonic, VECTORS["passphrase"]).hex() == vector["seed"]
    entropy = entropy_of(mnemonic)
    assert mnemonic_of(entropy) == mnemonic
    if "entropy" in vector:
        assert entropy.hex() == vector["entropy"]


@pytest.mark.parametrize("length", [0, 8, 15, 17, 33, 64])
def test_entropy_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(KeyMaterialError, match="entropy"):
        mnemonic_of(bytes(length))


@pytest.mark.parametrize(
    ("mnemonic", "problem"),
    [
        ("abandon " * 12, "checksum"),
        ("about " + "abandon " * 11, "checksum"),
        ("abandon " * 11 + "abut", "word 12 unknown"),
        ("Abandon " + "abandon " * 10 + "about", "word 1 unknown"),
        ("abandon " * 10 + "about", "11 words"),
        ("abandon " * 13, "13 words"),
        ("", "1 words"),
        ("abandon " * 200, "characters"),
    ],
)
def test_a_mnemonic_that_is_not_valid_is_refused_without_showing_it(
    mnemonic: str, problem: str
) -> None:
    for read in (entropy_of, seed_of):
        with pytest.raises(KeyMaterialError, match=problem) as refusal:
            read(mnemonic)
        assert "aban" not in str(refusal.value)
        assert "abut" not in str(refusal.value)


def test_another_passphrase_is_another_seed() -> None:
    seeds = {seed_of(ABOUT), seed_of(ABOUT, "a"), seed_of(ABOUT, "A"), seed_of(ABOUT, " ")}
    assert len(seeds) == 4


def test_a_passphrase_is_the_same_in_every_unicode_form() -> None:
    passphrase = "pässwörd ㍍ ガバ"
    forms = {
        seed_of(ABOUT, unicodedata.normalize(form, passphrase))
        for form in ("NFC", "NFD", "NFKC", "NFKD")
    }
    assert len(forms) == 1
    salt = "mnemonic" + unicodedata.normalize("NFKD", passphrase)
    assert forms == {hashlib.pbkdf2_hmac("sha512", ABOUT.encode(), salt.encode(), 2048)}


def test_white_space_around_and_between_words_does_not_change_the_seed() -> None:
    assert seed_of("  " + ABOUT.replace(" ", "\n\t ") + "\n") == seed_of(ABOUT)


def test_an_endless_passphrase_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match="passphrase"):
        seed_of(ABOUT, "x" * 5000)
