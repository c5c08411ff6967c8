"""Typed fields out of parsed replies: a value in its range, or unknown with the reason.

A path is a sequence of keys and list indices. A source may be the `DeviceError` with which its
command failed (or an `Unknown`): every field taken from it is then unknown for that reason. Absent,
null and blank are NOT_REPORTED, a value of the wrong type or NaN is MALFORMED, one outside the
bounds OUT_OF_RANGE. Nothing is rounded to zero and no bool passes for a number.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from firmware_bridges.errors import DeviceError
from shared.measured import Measured, Reason, Unknown

Source: TypeAlias = Mapping[str, Any] | DeviceError | Unknown
"""A parsed reply, or why there is none."""

Step: TypeAlias = str | int

ABSENT: Final = Unknown(Reason.NOT_REPORTED)
MAX_TEXT: Final = 200
_LARGEST: Final = 1e18
_COLD_C: Final = -60.0
_HOT_C: Final = 250.0

A = TypeVar("A")
B = TypeVar("B")


def raw(source: Source, *path: Step) -> Any:
    """Whatever stands at the path, unjudged; `Unknown` when nothing does, or null."""
    if isinstance(source, DeviceError):
        return source.unknown()
    if isinstance(source, Unknown):
        return source
    value: Any = source
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, Mapping):
                return _malformed(path, value) if value is not None else ABSENT
            value = value.get(step)
        else:
            if not isinstance(value, list):
                return _malformed(path, value) if value is not None else ABSENT
            value = value[step] if -len(value) <= step < len(value) else None
        if value is None:
            return ABSENT
    return value


def number(
    source: Source, *path: Step, low: float = 0.0, high: float = _LARGEST, scale: float = 1.0
) -> Measured[float]:
    """A finite number times `scale`; numbers in texts count. Bounds hold after scaling."""
    value = raw(source, *path)
    if type(value) is not float and type(value) is not int:
        if isinstance(value, Unknown):
            return value
        value = _from_text(value, path)
        if isinstance(value, Unknown):
            return value
    return _bounded(value, path, low, high, scale)


def integer(
    source: Source, *path: Step, low: int = 0, high: int = 2**53, scale: int = 1
) -> Measured[int]:
    """A whole number (2.0 is one, 2.5 is not) times `scale`."""
    value = number(source, *path, low=low, high=high, scale=scale)
    if isinstance(value, Unknown):
        return value
    whole = int(value)
    return whole if whole == value else _malformed(path, value)


def celsius(source: Source, *path: Step) -> Measured[float]:
    """A temperature that a board, a chip or the air round them can have."""
    return number(source, *path, low=_COLD_C, high=_HOT_C)


def text(source: Source, *path: Step) -> Measured[str]:
    """A text, stripped, cut at 200 characters; a blank one is NOT_REPORTED."""
    value = raw(source, *path)
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, str):
        return _malformed(path, value)
    return value.strip()[:MAX_TEXT] or ABSENT


def word(source: Source, *path: Step) -> Measured[str]:
    """A text in lower case."""
    value = text(source, *path)
    return value if isinstance(value, Unknown) else value.lower()


def flag(source: Source, *path: Step) -> Measured[bool]:
    """A JSON bool; the usual texts ("Y", "N", "true", "false", "yes", "no") count too."""
    value = raw(source, *path)
    if isinstance(value, bool | Unknown):
        return value
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower(), _malformed(path, value))
    return _malformed(path, value)


def items(source: Source, *path: Step, most: int = 64) -> Measured[tuple[Mapping[str, Any], ...]]:
    """A list of objects, of which the first `most` are kept; an element that is no object makes
    the list MALFORMED."""
    value = raw(source, *path)
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return _malformed(path, value)
    return tuple(value[:most])


def each(listed: Measured[tuple[A, ...]], make: Callable[[int, A], B]) -> Measured[tuple[B, ...]]:
    """What `make` makes of every element and its index."""
    if isinstance(listed, Unknown):
        return listed
    return tuple(make(index, element) for index, element in enumerate(listed))


def iso_time_ms(value: Measured[str]) -> int | None:
    """The moment of an ISO 8601 text with its offset; None for anything else."""
    if isinstance(value, Unknown):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def one_of(value: Measured[str], meanings: Mapping[str, bool], what: str) -> Measured[bool]:
    """What a known word means; a word without a meaning is MALFORMED."""
    if isinstance(value, Unknown):
        return value
    meaning = meanings.get(value)
    if meaning is None:
        return Unknown(Reason.MALFORMED, f"{what} is {value[:40]!r}, not {' or '.join(meanings)}")
    return meaning


_FLAGS: Final = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


def _from_text(value: object, path: tuple[Step, ...]) -> Measured[float]:
    if not isinstance(value, str):
        return _malformed(path, value)
    stripped = value.strip()
    if not stripped:
        return ABSENT
    if "_" in stripped or not stripped.isascii():
        return _malformed(path, value)  # Python reads these as numbers; no device writes them
    try:
        return float(stripped)
    except ValueError:
        return _malformed(path, value)


def _bounded(
    value: int | float, path: tuple[Step, ...], low: float, high: float, scale: float
) -> Measured[float]:
    if not -_LARGEST <= value <= _LARGEST:
        if isinstance(value, float) and math.isnan(value):
            return _malformed(path, value)
        return _out_of_range(path, value)
    scaled = float(value) * scale
    if not low <= scaled <= high or (scaled == 0 and value != 0):
        return _out_of_range(path, value)
    return scaled


def _malformed(path: tuple[Step, ...], value: object) -> Unknown:
    return Unknown(Reason.MALFORMED, f"{_name(path)} is {_shown(value)}")


def _out_of_range(path: tuple[Step, ...], value: object) -> Unknown:
    return Unknown(Reason.OUT_OF_RANGE, f"{_name(path)} is {_shown(value)}")


def _name(path: tuple[Step, ...]) -> str:
    return ".".join(str(step) for step in path)


def _shown(value: object) -> str:
    """Short whatever it is: a whole reply or a number of a million digits stays outside."""
    if isinstance(value, Mapping | list | tuple):
        return f"a {type(value).__name__}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return "a number beyond 10^30"
    return repr(value)[:60]
