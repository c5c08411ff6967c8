"""Mnemonics (BIP39): entropy as words, words as a seed. English words, by libwally's list."""

import hashlib
import unicodedata
from functools import cache
from typing import Any, Final

import wallycore

from shared.bitcoin.errors import KeyMaterialError

ENTROPY_BYTES: Final = (16, 20, 24, 28, 32)
WORD_COUNTS: Final = (12, 15, 18, 21, 24)

_ROUNDS: Final = 2048
_MAX_CHARACTERS: Final = 1024
_MAX_PASSPHRASE_CHARACTERS: Final = 4096


def mnemonic_of(entropy: bytes) -> str:
    """The words of 16, 20, 24, 28 or 32 bytes of entropy, one space between them."""
    if len(entropy) not in ENTROPY_BYTES:
        raise KeyMaterialError("entropy", f"{len(entropy)} bytes", "16, 20, 24, 28 or 32 bytes")
    return str(wallycore.bip39_mnemonic_from_bytes(_words(), entropy))


def entropy_of(mnemonic: str) -> bytes:
    """The entropy of a mnemonic whose words are the list's and whose checksum holds.

    KeyMaterialError, which never shows a word, for every other. Unicode forms are normalised
    (NFKD) and runs of white space count as one; upper case is refused, since it would be another
    seed.
    """
    words = _normalised(mnemonic)
    count = len(words.split(" "))
    if count not in WORD_COUNTS:
        raise KeyMaterialError("mnemonic", f"{count} words", "12, 15, 18, 21 or 24 words")
    for position, word in enumerate(words.split(" ")):
        if word not in _indices():
            raise KeyMaterialError("mnemonic", f"word {position + 1} unknown", "words of the list")
    try:
        return bytes(wallycore.bip39_mnemonic_to_bytes(_words(), words))
    except ValueError:
        raise KeyMaterialError(
            "mnemonic", "the checksum does not hold", "the words as they were written down"
        ) from None


def seed_of(mnemonic: str, passphrase: str = "") -> bytes:
    """The seed of 64 bytes of a valid mnemonic and its passphrase (BIP39, From mnemonic to seed).

    Every passphrase gives a seed: a wrong one opens another, empty wallet.
    """
    entropy_of(mnemonic)
    if len(passphrase) > _MAX_PASSPHRASE_CHARACTERS:
        raise KeyMaterialError(
            "passphrase", f"{len(passphrase)} characters", f"at most {_MAX_PASSPHRASE_CHARACTERS}"
        )
    salt = "mnemonic" + unicodedata.normalize("NFKD", passphrase)
    return hashlib.pbkdf2_hmac("sha512", _normalised(mnemonic).encode(), salt.encode(), _ROUNDS)


def _normalised(mnemonic: str) -> str:
    if len(mnemonic) > _MAX_CHARACTERS:
        raise KeyMaterialError("mnemonic", f"{len(mnemonic)} characters", "24 words at most")
    return " ".join(unicodedata.normalize("NFKD", mnemonic).split())


@cache
def _words() -> Any:
    """libwally's English list."""
    return wallycore.bip39_get_wordlist("en")


@cache
def _indices() -> frozenset[str]:
    return frozenset(wallycore.bip39_get_word(_words(), index) for index in range(2048))
