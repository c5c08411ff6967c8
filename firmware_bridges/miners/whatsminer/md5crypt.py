"""The `$1$` password hash of FreeBSD's and OpenSSL's crypt, on which Whatsminer's tokens rest.

Source: Poul-Henning Kamp's md5crypt as OpenSSL's `passwd -1` implements it. It is here for the
protocol's sake; it protects nothing of ours.
"""

import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_ROUNDS = 1000
MAX_SALT = 8


def md5crypt(word: str, salt: str) -> str:
    """The 22 characters behind `$1$salt$`; a salt is cut at 8 characters, as crypt does."""
    password, salted = word.encode(), salt.encode()[:MAX_SALT]
    digest = _first(password, salted)
    for turn in range(_ROUNDS):
        step = password if turn & 1 else digest
        if turn % 3:
            step += salted
        if turn % 7:
            step += password
        step += digest if turn & 1 else password
        digest = _md5(step)
    return _encoded(digest)


def _first(password: bytes, salt: bytes) -> bytes:
    inner = _md5(password + salt + password)
    step = password + b"$1$" + salt
    step += (inner * (len(password) // 16 + 1))[: len(password)]
    bits = len(password)
    while bits:
        step += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    return _md5(step)


def _encoded(digest: bytes) -> str:
    text = ""
    for high, middle, low in _ORDER:
        text += _base64(digest[high] << 16 | digest[middle] << 8 | digest[low], 4)
    return text + _base64(digest[11], 2)


def _base64(value: int, characters: int) -> str:
    return "".join(_ALPHABET[value >> 6 * place & 63] for place in range(characters))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
