"""Which events are counted on one row, and when a count is worth telling again. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.messages import cbor

WINDOW_MS = 10 * 60_000
"""Equal events no further apart than this are one series."""
LONGEST_MS = 60 * 60_000
"""A series that lasts longer goes on as a new row, so that it is told again."""
MOST_ROWS = 100
"""New rows of one kind within a window; what comes beyond is counted on one row of its own."""
MANY = "(many)"
"""The subject of that row."""
MAX_SUBJECT = 200
_MAX_TEXT = 300
_MAX_ITEMS = 30
_MAX_DEPTH = 4
_MAX_JSON = 16_000


@dataclass(frozen=True, slots=True)
class Series:
    """A row that a further event may be counted on."""

    first_ms: int
    last_ms: int
    acknowledged: bool


def continues(series: Series, now_ms: int) -> bool:
    """Whether an equal event at `now_ms` belongs to the series.

    What a person has acknowledged is over: the next one is news. So is one after the clock was set
    back behind the series.
    """
    if series.acknowledged or now_ms < series.first_ms:
        return False
    return now_ms - series.last_ms <= WINDOW_MS and now_ms - series.first_ms <= LONGEST_MS


def worth_telling(before: int, after: int) -> bool:
    """Whether a count that rose from `before` to `after` reached 1, 10, 100, ...: a flood costs a
    handful of leaves and messages."""
    mark = 1
    while mark <= before:
        mark *= 10
    return mark <= after


def fingerprint(kind: str, subject: str, detail: Mapping[str, Any]) -> bytes:
    """Equal for equal events; how long something took or lasts (`*_ms`) makes no difference."""
    same = {key: value for key, value in detail.items() if not key.endswith("_ms")}
    return hashlib.sha256(cbor.encode({"detail": same, "kind": kind, "subject": subject})).digest()


def plain_text(text: str, most: int = _MAX_TEXT) -> str:
    """Printable and bounded: what attackers write ends up in databases, logs and on pages."""
    shown = "".join(
        c if c.isprintable() and not "\ud800" <= c <= "\udfff" else "\N{REPLACEMENT CHARACTER}"
        for c in text[:most]
    )
    return shown if len(text) <= most else f"{shown[: most - 1]}…"


def plain_detail(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The detail as plain, bounded JSON data: bytes become hex, what is too deep its text, and what
    does not fit any more is counted under `left_out`."""
    shown: dict[str, Any] = {}
    size = 0
    for key, value in detail.items():
        name, item = plain_text(str(key), 60), _plain(value, 1)
        size += len(name) + len(json.dumps(item))
        if len(shown) == _MAX_ITEMS or size > _MAX_JSON:
            return {**shown, "left_out": len(detail) - len(shown)}
        shown[name] = item
    return shown


def _plain(value: Any, depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**63 else str(value)
        case float():
            return value if value - value == 0 else str(value)
        case str():
            return plain_text(value)
        case bytes():
            return plain_text(value.hex())
        case Mapping() if depth < _MAX_DEPTH:
            return {
                plain_text(str(key), 60): _plain(item, depth + 1)
                for key, item in list(value.items())[:_MAX_ITEMS]
            }
        case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
            return [_plain(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        case _:
            return plain_text(str(value))
