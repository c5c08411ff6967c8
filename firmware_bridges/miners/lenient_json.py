"""JSON as cgminer's descendants write it, read without inventing anything.

cgminer builds its replies with printf (`api.c` in ckolivas/cgminer), so that real devices send what
RFC 8259 forbids: no comma between two objects of a list (`}{`, Antminer `stats`), a comma too many,
control characters inside strings, `nan`, `-nan` and `inf` in place of a number, bytes that are not
UTF-8 in texts. `loads` is the standard parser; only where that fails, a reader of its own accepts
exactly these deviations, in at most 128 Ki characters (it is slow). What is no number becomes a
float NaN or infinity, which `firmware_bridges.miners.extract` turns into unknown; nothing becomes
zero.
"""

import json
import math
import re
from typing import Any, Final

_MAX_DEPTH: Final = 32
_MAX_CHARACTERS: Final = 128 * 1024
_SPACE = re.compile(r"[ \t\r\n\x00-\x1f]*")
_NUMBER = re.compile(r"-?(?:\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_AFTER_NUMBER: Final = frozenset({"", ",", "}", "]", " ", "\n", "\r", "\t"})
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "null": None,
    "nan": math.nan,
    "inf": math.inf,
    "infinity": math.inf,
}
_WORD = re.compile(r"([+-]?)(infinity|inf|nan|true|false|null)\b", re.IGNORECASE)


class NotJsonError(ValueError):
    """The text is not JSON even with the deviations above; says where."""


def loads(data: bytes) -> Any:
    """The value that `data` (without NUL tail) holds; `NotJsonError` when it holds none."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error
    except ValueError as error:
        if len(text) > _MAX_CHARACTERS:
            raise NotJsonError(f"{error}"[:100]) from error
    return _Reader(text).whole()


class _Reader:
    """A recursive reader over one text; positions are characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Any:
        value = self._value(0)
        self._skip_space()
        if self._at != len(self._text):
            raise self._error("more after the value")
        return value

    def _value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise self._error("nested too deeply")
        self._skip_space()
        match self._peek():
            case "{":
                return self._object(depth)
            case "[":
                return self._list(depth)
            case '"':
                return self._string()
            case "":
                raise self._error("cut off")
            case _:
                return self._scalar()

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        while True:
            self._skip_separator()
            if self._peek() == "}":
                self._at += 1
                return found
            if self._peek() != '"':
                raise self._error("no key")
            key = self._string()
            self._skip_space()
            if self._peek() != ":":
                raise self._error(f"no colon after {key[:40]!r}")
            self._at += 1
            found[key] = self._value(depth + 1)

    def _list(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        while True:
            self._skip_separator()
            if self._peek() == "]":
                self._at += 1
                return found
            found.append(self._value(depth + 1))

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            raise self._error("a string without end")
        self._at = match.end()
        body = match.group(1)
        if "\\" not in body:
            return body
        try:
            return str(json.loads(f'"{body}"', strict=False))
        except ValueError as error:
            raise self._error("a bad escape in a string") from error

    def _scalar(self) -> Any:
        match = _NUMBER.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            if self._text[self._at : self._at + 1] not in {
                "",
                ",",
                "}",
                "]",
                " ",
                "\n",
                "\r",
                "\t",
            }:
                raise self._error("a number with more behind it")
            try:
                return json.loads(match.group())
            except ValueError as error:
                raise self._error("no number") from error
        word = _WORD.match(self._text, self._at)
        if word is None:
            raise self._error("no value")
        self._at = word.end()
        value = _WORDS[word.group(2).lower()]
        return -value if word.group(1) == "-" and isinstance(value, float) else value

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _skip_separator(self) -> None:
        """Space and the commas between elements: none, one, or (trailing) one too many."""
        self._skip_space()
        while self._peek() == ",":
            self._at += 1
            self._skip_space()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _error(self, problem: str) -> NotJsonError:
        near = self._text[max(0, self._at - 15) : self._at + 15]
        return NotJsonError(f"{problem} at character {self._at}, near {near!r}")
