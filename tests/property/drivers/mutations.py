"""Captured replies, broken in the ways that devices, cables and proxies break them.

`mutated_replies` is the strategy; `zero_was_sent` the independent look into the raw bytes with
which a test decides whether a zero in a reading is honest.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridges.readings import MinerReading

Place = tuple[str | int, ...]

_JUNK_TOKENS = (
    "nan", "-nan", "NaN", "inf", "-Infinity", "null", "true", "false", "0", "-0.0", "1e400", "-1",
    '""', '" "', '"0"', '"-"', '"nan"', '"N/A"', '"\\u0000"', "[]", "{}", "[[]]", '[{"a": 1}]',
    '{"b": {"c": []}}', "1" * 400, "9" * 5000, "12345678901234567890", "0.5", "[1, 2, 3, 4]",
    '"0-0-0-0"', '"78-x-69-70"', '"1_000"', "3.7e-320", "[" * 40 + "]" * 40,
)  # fmt: skip
_SPLICES = (
    b"\0",
    b"\0\0\0",
    b"}{",
    b",",
    b"\xff\xfe",
    b"\x01\x02",
    b'"',
    b"nan",
    b"\n",
    b"[",
    b"}",
)
_MARK = "\u0001junk\u0001"


def paths_of(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every path below `value`, containers included."""
    children: Iterator[tuple[str | int, Any]]
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    else:
        return
    for key, child in children:
        yield (*at, key)
        yield from paths_of(child, (*at, key))


@st.composite
def _structural(draw: st.DrawFn, capture: bytes) -> bytes:
    """Keys deleted and values replaced; the result is JSON but for tokens like `nan`."""
    value = json.loads(capture)
    tokens: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        paths = list(paths_of(value))
        if not paths:
            break
        *parents, last = draw(st.sampled_from(paths))
        holder = value
        for step in parents:
            holder = holder[step]
        if draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = f"{_MARK}{len(tokens)}"
            tokens.append(draw(st.sampled_from(_JUNK_TOKENS) | _numbers() | _texts()))
    text = json.dumps(value)
    for index, token in enumerate(tokens):
        text = text.replace(json.dumps(f"{_MARK}{index}"), token)
    return text.encode()


def _numbers() -> st.SearchStrategy[str]:
    integers = st.integers(-(2**70), 2**70).map(str)
    return integers | st.floats(allow_nan=False, allow_infinity=False).map(repr)


def _texts() -> st.SearchStrategy[str]:
    return st.text(max_size=20).map(json.dumps)


@st.composite
def _bytewise(draw: st.DrawFn, capture: bytes) -> bytes:
    """Bytes flipped, the reply cut short or something spliced into it."""
    body = bytearray(capture)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        match draw(st.sampled_from(("flip", "cut", "splice", "drop"))):
            case "flip" if body:
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del body[at:]
            case "splice":
                body[at:at] = draw(st.sampled_from(_SPLICES))
            case _:
                del body[at : at + draw(st.integers(1, 40))]
    return bytes(body)


def mutated(capture: bytes) -> st.SearchStrategy[bytes]:
    """One capture, broken."""
    return _structural(capture) | _bytewise(capture)


@st.composite
def mutated_replies(draw: st.DrawFn, captures: Mapping[str, bytes]) -> dict[str, bytes]:
    """All replies of a poll, one to three of them broken; a broken one may be missing."""
    replies = dict(captures)
    names = st.lists(st.sampled_from(sorted(captures)), min_size=1, max_size=3, unique=True)
    for name in draw(names):
        if draw(st.integers(0, 9)) == 0:
            del replies[name]
        else:
            replies[name] = draw(mutated(captures[name]))
    return replies


def zero_fields(reading: MinerReading) -> Iterator[str]:
    """The names of the numeric fields that are exactly zero, wherever they stand in the reading
    ("hashrate_ths", "boards.chips"); list indices are left out."""
    yield from _zeros(reading, "")


def _zeros(value: object, name: str) -> Iterator[str]:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.name in {"index", "reason"}:
                continue
            yield from _zeros(getattr(value, field.name), f"{name}.{field.name}".lstrip("."))
    elif isinstance(value, tuple):
        for item in value:
            yield from _zeros(item, name)
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == 0:
        yield name


def zero_was_sent(replies: Mapping[str, bytes], keys: re.Pattern[str]) -> bool:
    """Whether any reply has a zero (0, -0.0, 0e3, "0" ...) as value of a key that `keys` matches.

    Looks at the bytes with a regular expression, not through the code under test.
    """
    return any(
        keys.fullmatch(match.group(1).decode("utf-8", "replace"))
        for reply in replies.values()
        for match in _ZERO_VALUE.finditer(reply)
    )


_ZERO_VALUE = re.compile(
    rb'"((?:[^"\\]|\\.)*)"[\s\x00-\x1f]*:[\s\x00-\x1f]*"?\s*'
    rb'[-+]?(?:0+\.?0*|\.0+)(?:[eE][-+]?\d+)?[\s\x00-\x1f]*(?:[",}\]{\[\s]|$)'
)


def mutation_test(
    check: Callable[[dict[str, bytes]], None],
    load: Callable[[Path], Sequence[Mapping[str, bytes]]],
    *,
    examples: int,
) -> Callable[[Path, st.DataObject], None]:
    """A test that checks so many mutations of the sets of captures that `load` finds in the shared
    data."""
    loaded = cache(load)

    @settings(max_examples=examples)
    @given(data=st.data())
    def test(shared_data: Path, data: st.DataObject) -> None:
        captures = data.draw(st.sampled_from(loaded(shared_data)))
        check(data.draw(mutated_replies(captures)))

    return test
