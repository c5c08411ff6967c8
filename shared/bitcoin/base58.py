"""Base58Check: bytes as text with a checksum of four bytes. Errors never show the text itself."""

from typing import Final

from shared.bitcoin.errors import EncodingError
from shared.bitcoin.hashes import sha256d

MAX_TEXT_CHARACTERS: Final = 128
"""Longer than any base58 text of Bitcoin's: an extended key has at most 112 characters."""

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_CHECKSUM_BYTES: Final = 4


def encode_check(payload: bytes) -> str:
    """The text of `payload` and its checksum."""
    content = payload + sha256d(payload)[:_CHECKSUM_BYTES]
    remaining = int.from_bytes(content, "big")
    digits = []
    while remaining:
        remaining, digit = divmod(remaining, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    zeros = len(content) - len(content.lstrip(b"\x00"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def decode_check(text: str, field: str = "base58 text") -> bytes:
    """The payload whose checksum holds, else EncodingError; `field` names the text in it."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise EncodingError(
            field, f"{len(text)} characters", f"at most {MAX_TEXT_CHARACTERS} characters"
        )
    number = 0
    for position, character in enumerate(text):
        value = _VALUES.get(character)
        if value is None:
            raise EncodingError(field, f"wrong character at {position}", "base58 characters")
        number = number * len(_ALPHABET) + value
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    content = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    if len(content) < _CHECKSUM_BYTES or sha256d(payload)[:_CHECKSUM_BYTES] != checksum:
        raise EncodingError(field, "the checksum does not hold", "text without a typing error")
    return payload
