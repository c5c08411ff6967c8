"""Bech32 (BIP173) and bech32m (BIP350): text with a checksum that finds four wrong characters."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final

from shared.bitcoin.errors import EncodingError

MAX_TEXT_CHARACTERS: Final = 90

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES: Final = {character: value for value, character in enumerate(_CHARSET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_CHARACTERS: Final = 6
_MAX_PREFIX: Final = 83
_GROUP_BITS: Final = 5


class Variant(Enum):
    """The constant that the checksum ends on: witness version 0 has the first, later ones M."""

    BECH32 = 1
    BECH32M = 0x2BC830A3


def encode(prefix: str, values: Sequence[int], variant: Variant) -> str:
    """The lower-case text of five-bit values behind a human-readable part."""
    is_plain = all(33 <= ord(one) <= 126 for one in prefix) and prefix == prefix.lower()
    if not 1 <= len(prefix) <= _MAX_PREFIX or not is_plain:
        raise EncodingError("prefix", repr(prefix[:99]), "1 to 83 visible lower-case characters")
    if any(not 0 <= value < 32 for value in values):
        raise EncodingError("values", "a value outside five bits", "from 0 to 31")
    length = len(prefix) + 1 + len(values) + _CHECKSUM_CHARACTERS
    if length > MAX_TEXT_CHARACTERS:
        raise EncodingError("values", f"{length} characters", f"at most {MAX_TEXT_CHARACTERS}")
    expanded = [*_expand(prefix), *values]
    remainder = _polymod([*expanded, 0, 0, 0, 0, 0, 0]) ^ variant.value
    checksum = [
        remainder >> _GROUP_BITS * (_CHECKSUM_CHARACTERS - 1 - at) & 31
        for at in range(_CHECKSUM_CHARACTERS)
    ]
    return f"{prefix}1{''.join(_CHARSET[value] for value in (*values, *checksum))}"


def decode(text: str) -> tuple[str, list[int], Variant]:
    """Prefix in lower case, five-bit values and variant; EncodingError names what is wrong."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise _refusal(f"{len(text)} characters", f"at most {MAX_TEXT_CHARACTERS}")
    if any(not 33 <= ord(one) <= 126 for one in text):
        raise _refusal("a character that is not visible ASCII", "visible ASCII")
    if text != text.lower() and text != text.upper():
        raise _refusal("upper and lower case mixed", "one case")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or not prefix or len(data) < _CHECKSUM_CHARACTERS:
        raise _refusal("prefix, separator or checksum missing", "prefix, 1, data and checksum")
    values = [_VALUES.get(one, -1) for one in data]
    if -1 in values:
        raise _refusal(
            f"wrong character at {len(prefix) + 1 + values.index(-1)}", "bech32 characters"
        )
    remainder = _polymod([*_expand(prefix), *values])
    for variant in Variant:
        if variant.value == remainder:
            return prefix, values[:-_CHECKSUM_CHARACTERS], variant
    raise _refusal("the checksum does not hold", "text without a typing error")


def to_groups(content: bytes) -> list[int]:
    """Bytes as five-bit values, the last padded with zeros."""
    bits = len(content) * 8
    padding = -bits % _GROUP_BITS
    number = int.from_bytes(content, "big") << padding
    count = (bits + padding) // _GROUP_BITS
    return [number >> _GROUP_BITS * (count - 1 - at) & 31 for at in range(count)]


def from_groups(values: Sequence[int]) -> bytes:
    """The bytes of five-bit values; padding of five bits or more, or not of zeros, is refused."""
    bits = len(values) * _GROUP_BITS
    padding = bits % 8
    number = 0
    for value in values:
        number = number << _GROUP_BITS | value
    if padding >= _GROUP_BITS or number & ((1 << padding) - 1):
        raise _refusal("padding is too long or not zero", "fewer than five zero bits")
    return (number >> padding).to_bytes(bits // 8, "big")


def _expand(prefix: str) -> list[int]:
    return [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= constant
    return checksum


def _refusal(problem: str, allowed: str) -> EncodingError:
    return EncodingError("bech32 text", problem, allowed)
