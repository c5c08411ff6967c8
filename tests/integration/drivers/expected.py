"""What a capture must read as, field by field."""

from collections.abc import Sequence
from typing import Final, TypeVar

import pytest

from shared.measured import Measured, Reason, Unknown

T = TypeVar("T")

UNREPORTED: Final = Unknown(Reason.NOT_REPORTED)
"""Stands for any unknown with this reason, whatever its detail."""


def known_parts(parts: Measured[tuple[T, ...]]) -> tuple[T, ...]:
    """The boards, fans, pools or faults, which must be known."""
    assert not isinstance(parts, Unknown), parts
    return parts


def assert_fields(part: object, **expected: object) -> None:
    """Each named field of one part has the value; of floats, to nine digits."""
    for name, value in expected.items():
        got = getattr(part, name)
        assert _is(got, value), f"{name} is {got!r}, not {value!r}"


def assert_columns(parts: Measured[tuple[T, ...]], **expected: Sequence[object]) -> None:
    """Each named field has the values, one a part, in the parts' order."""
    for name, values in expected.items():
        got = [getattr(part, name) for part in known_parts(parts)]
        assert len(got) == len(values), f"{name}: {len(got)} parts, not {len(values)}"
        assert all(map(_is, got, values)), f"{name} is {got!r}, not {values!r}"


def _is(got: object, value: object) -> bool:
    if isinstance(value, Unknown):
        return isinstance(got, Unknown) and got.reason is value.reason
    if isinstance(got, bool) or isinstance(value, bool):
        return got is value
    if isinstance(value, float):
        return bool(got == pytest.approx(value, rel=1e-9))
    return got == value
