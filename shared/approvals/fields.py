"""Checks of what an intent may hold: nothing that a person reads otherwise than a machine."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor

UNIQUE_BYTES = 16
MAX_SAT = 21_000_000 * 100_000_000
MAX_DEADLINE_MS = 4_102_444_799_999
"""The end of the year 2099 (UTC)."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/@+-]*[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9]{14,100}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph of their own, those that turn the reading direction among
them (UAX 9, UTS 55)."""


def take(fields: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """The values of exactly these entries; one missing or one more is refused."""
    for name in names:
        if name not in fields:
            raise BadInputError(name, "missing", "present")
    unknown = set(fields) - set(names)
    if unknown:
        raise BadInputError(min(unknown), "not a field of this kind", ", ".join(names))
    return tuple(fields[name] for name in names)


def name_text(value: object, field: str, most: int = 64) -> str:
    """A name: ASCII letters, digits and ` ._:/@+-` inside, so that no two look alike by script."""
    text = cbor.expect_text(value, field, most)
    if not _NAME.fullmatch(text) or "  " in text:
        allowed = "ASCII letters and digits, with single spaces and ._:/@+- inside"
        raise BadInputError(field, repr(text)[:80], allowed)
    return text


def plain_text(value: object, field: str, most: int = 500) -> str:
    """Text that shows what it is: composed (NFC), without control, format or unassigned
    characters, without blanks at its ends."""
    text = cbor.expect_text(value, field, most)
    unseen = next((c for c in text if unicodedata.category(c) in _UNSEEN), None)
    if unseen is not None:
        raise BadInputError(
            field, f"holds U+{ord(unseen):04X}", "text without control or direction characters"
        )
    if text != unicodedata.normalize("NFC", text) or text != text.strip():
        raise BadInputError(field, ascii(text)[:80], "composed text (NFC) without blanks around it")
    return text


def address_text(value: object, field: str) -> str:
    """An address as it is written: 14 to 100 ASCII letters and digits. Whether it is one of the
    network in use is for the wallet and the signers to know."""
    text = cbor.expect_text(value, field, 100)
    if not _ADDRESS.fullmatch(text):
        raise BadInputError(field, repr(text)[:80], "14 to 100 ASCII letters and digits")
    return text


def amount_sat(value: object, field: str, low: int = 0) -> int:
    """Satoshi, from `low` to all there can be."""
    return cbor.expect_int(value, field, low, MAX_SAT)


def deadline_ms(value: object) -> int:
    """The time from which an intent must not be carried out any more."""
    return cbor.expect_int(value, "deadline_ms", 1, MAX_DEADLINE_MS)


def unique_bytes(value: object) -> bytes:
    """The random number that makes two equal wishes two intents."""
    return exact_bytes(value, "unique", UNIQUE_BYTES)


def exact_bytes(value: object, field: str, length: int) -> bytes:
    """A byte string of this length."""
    if not isinstance(value, bytes) or len(value) != length:
        raise BadInputError(field, repr(value)[:60], f"{length} bytes")
    return value
