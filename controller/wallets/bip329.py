"""Wallet labels in and out (BIP329): one JSON object a line. Pure.

Fields that mean nothing here are kept as they were read, numbers to their last digit, and written
out again. Types that BIP329 does not define are passed over, as it asks.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError

MOST_LABEL = 255
"""BIP329's suggestion; a longer label is cut."""
_MOST_REF = 200
_MOST_ORIGIN = 300
_MOST_LINE_BYTES = 8_192
_MOST_LINES = 200_000
_KNOWN = frozenset({"type", "ref", "label", "origin", "spendable"})
_MOST_DEPTH = 8


class LabelType(StrEnum):
    """What a label is of."""

    TX = "tx"
    ADDR = "addr"
    PUBKEY = "pubkey"
    INPUT = "input"
    OUTPUT = "output"
    XPUB = "xpub"


@dataclass(frozen=True, slots=True)
class Label:
    """One record. `label` and `spendable` None: not told, and an import does not alter them.

    `others` is the JSON object of the fields that mean nothing here.
    """

    type: LabelType
    ref: str
    label: str | None = None
    origin: str = ""
    spendable: bool | None = None
    others: str = "{}"
    was_cut: bool = False


def read_labels(lines: Iterable[bytes]) -> Iterator[Label]:
    """The records of a file, lines without their ends; BadInputError names the line."""
    for number, line in enumerate(lines, 1):
        if number > _MOST_LINES:
            raise BadInputError("labels", f"more than {_MOST_LINES} lines", "fewer")
        if line.strip():
            record = read_label(line, f"line {number}")
            if record is not None:
                yield record


def read_label(line: bytes, field: str) -> Label | None:
    """The record of a line; None where its type is none of BIP329's."""
    if len(line) > _MOST_LINE_BYTES:
        raise BadInputError(field, f"{len(line)} bytes", f"at most {_MOST_LINE_BYTES}")
    found = _object(line, field)
    kind = _text(found, "type", field, 40, is_needed=True)
    ref = _text(found, "ref", field, _MOST_REF, is_needed=True)
    if kind not in set(LabelType):
        return None
    label = _text(found, "label", field, _MOST_LINE_BYTES)
    origin = _text(found, "origin", field, _MOST_ORIGIN)
    spendable = found.get("spendable")
    if not (spendable is None or isinstance(spendable, bool)):
        raise BadInputError(f"{field}.spendable", repr(spendable)[:40], "true or false")
    if spendable is not None and kind != LabelType.OUTPUT:
        raise BadInputError(f"{field}.spendable", f"of a {kind}", "only of an output")
    if spendable is not None:
        OutPoint.of_text(ref or "")
    others = {key: value for key, value in found.items() if key not in _KNOWN}
    return Label(
        type=LabelType(kind),
        ref=ref or "",
        label=None if label is None else label[:MOST_LABEL],
        origin=origin or "",
        spendable=spendable,
        others=_written(others),
        was_cut=label is not None and len(label) > MOST_LABEL,
    )


def write_labels(labels: Iterable[Label]) -> Iterator[str]:
    """A line for each, without its end."""
    for one in labels:
        record: dict[str, Any] = {"type": one.type.value, "ref": one.ref}
        if one.label is not None:
            record["label"] = one.label
        if one.origin:
            record["origin"] = one.origin
        if one.spendable is not None:
            record["spendable"] = one.spendable
        yield _written(record | _object(one.others.encode(), "others"))


def _object(line: bytes, field: str) -> dict[str, Any]:
    allowed = "a JSON object with every key once, in UTF-8"
    try:
        found = json.loads(
            line.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse,
            object_pairs_hook=_pairs,
        )
    except (ValueError, RecursionError):
        raise BadInputError(field, "malformed", allowed) from None
    if not isinstance(found, dict) or _depth(found) > _MOST_DEPTH:
        raise BadInputError(field, "no object, or nested too deeply", allowed)
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _text(
    found: dict[str, Any], key: str, field: str, most: int, *, is_needed: bool = False
) -> str | None:
    value = found.get(key)
    if value is None and not is_needed:
        return None
    if not isinstance(value, str) or len(value) > most or (is_needed and not value):
        raise BadInputError(f"{field}.{key}", repr(value)[:80], f"a text of at most {most}")
    if "\n" in value or "\r" in value or "\x00" in value:
        raise BadInputError(f"{field}.{key}", "several lines", "one line")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadInputError(f"{field}.{key}", "half a character", "Unicode") from None
    return value


def _written(value: Any) -> str:
    """JSON on one line; a Decimal stands there as it was read."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(k)}: {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value)
