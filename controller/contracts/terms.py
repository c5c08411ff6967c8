"""A template's parameters: frozen dataclasses whose fields say their unit and bounds.

`Terms` checks every field when it is made, so that what exists is within bounds. `rows` writes the
parameters as approvers sign them, `decode` reads them from plain data (JSON).
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from controller.contracts.errors import TermsError

_BOUNDS = "bounds"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_MAX_NAME = 40
_MAX_TEXT = 400

T = TypeVar("T", bound="Terms")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a field may be: for numbers the value, for bytes, texts and lists the length."""

    unit: str
    low: int
    high: int

    def __str__(self) -> str:
        return f"from {self.low} to {self.high} {self.unit}"


def bounded(unit: str, low: int, high: int) -> Any:
    """A field of `Terms` with its unit and bounds."""
    return dataclasses.field(metadata={_BOUNDS: Bounds(unit, low, high)})


def name_field() -> Any:
    """A field that names something: ASCII letters, digits, and `._-` inside."""
    return bounded("letters, digits and ._- inside", 1, _MAX_NAME)


@dataclass(frozen=True, slots=True)
class Terms:
    """The base of every template's parameters; TermsError names the field that is out of bounds."""

    names: ClassVar[frozenset[str]] = frozenset({"name"})

    def __post_init__(self) -> None:
        for name, bounds in bounds_of(type(self)).items():
            _check(name, getattr(self, name), bounds)
        self.check()

    def check(self) -> None:
        """What holds between the fields; TermsError where it does not."""

    def __str__(self) -> str:
        return " ".join(_text(getattr(self, one.name)) for one in dataclasses.fields(self))


def bounds_of(kind: type[Terms]) -> Mapping[str, Bounds]:
    """The bounds of a template's fields, for forms and documents."""
    return {one.name: one.metadata[_BOUNDS] for one in dataclasses.fields(kind) if one.metadata}


def _check(name: str, value: object, bounds: Bounds) -> None:
    if isinstance(value, str) and name in Terms.names and not _NAME.fullmatch(value):
        raise TermsError(name, repr(value)[:60], str(bounds))
    measured = len(value) if isinstance(value, str | bytes | tuple) else value
    if type(measured) is not int or not bounds.low <= measured <= bounds.high:
        shown = f"{measured} long" if measured is not value else repr(value)[:60]
        raise TermsError(name, shown, str(bounds))


def rows(terms: Terms, prefix: str = "") -> tuple[tuple[str, str], ...]:
    """The parameters as rows of name and text: one a field, one an element of a list."""
    found: list[tuple[str, str]] = []
    for one in dataclasses.fields(terms):
        value, name = getattr(terms, one.name), prefix + one.name
        if isinstance(value, tuple):
            for place, item in enumerate(value, 1):
                found += _element(item, f"{name}.{place}")
        else:
            found.append((name, _text(value)))
    return tuple(found)


def _element(item: object, name: str) -> tuple[tuple[str, str], ...]:
    """One row, or several where the element has lists of its own."""
    if isinstance(item, Terms):
        values = [getattr(item, one.name) for one in dataclasses.fields(item)]
        if any(isinstance(value, tuple) for value in values):
            return rows(item, f"{name}.")
    return ((name, _text(item)),)


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return value.hex() if isinstance(value, bytes) else str(value)


def plain(terms: Terms) -> dict[str, Any]:
    """The parameters as plain data: bytes in hex, choices by their value."""
    return {one.name: _plain(getattr(terms, one.name)) for one in dataclasses.fields(terms)}


def _plain(value: object) -> Any:
    if isinstance(value, Terms):
        return plain(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value.hex() if isinstance(value, bytes) else value


def decode(kind: type[T], data: Mapping[str, Any]) -> T:
    """The parameters that `plain` wrote; TermsError for a missing, unknown or ill-typed field."""
    hints = get_type_hints(kind)
    known = [one.name for one in dataclasses.fields(kind)]
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise TermsError(unknown[0][:60], "no parameter of this template", ", ".join(known))
    values = {}
    for one in dataclasses.fields(kind):
        if one.name in data:
            values[one.name] = _decode(one.name, hints[one.name], data[one.name])
        elif one.default is dataclasses.MISSING:
            raise TermsError(one.name, "missing", "every parameter")
    return kind(**values)


def _decode(name: str, kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) > 1000:
            raise TermsError(name, repr(value)[:60], "a list")
        return tuple(_decode(name, get_args(kind)[0], one) for one in value)
    if kind is bytes:
        try:
            return bytes.fromhex(value)
        except (TypeError, ValueError):
            raise TermsError(name, repr(value)[:60], "hex digits") from None
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            allowed = ", ".join(str(one.value) for one in kind)
            raise TermsError(name, repr(value)[:60], allowed) from None
    if issubclass(kind, Terms):
        if not isinstance(value, Mapping):
            raise TermsError(name, repr(value)[:60], "an object")
        return decode(kind, value)
    if type(value) is not kind or (kind is str and len(value) > _MAX_TEXT):
        raise TermsError(name, repr(value)[:60], f"a value of type {kind.__name__}")
    return value
