"""A measured value that may be unknown, and why."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, TypeVar


class Reason(IntEnum):
    """Why a value is unknown. The numbers are on the wire and never change meaning."""

    TIMEOUT = 1
    UNREACHABLE = 2
    MALFORMED = 3
    NOT_REPORTED = 4
    DEVICE_ERROR = 5
    OUT_OF_RANGE = 6
    NOT_AUTHORISED = 7
    NOT_CONFIGURED = 8
    STALE = 9


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that could not be read. Never zero, never "clear"."""

    reason: Reason
    detail: str = ""


T = TypeVar("T")
Measured: TypeAlias = T | Unknown
"""`Measured[float]` is a float or an `Unknown` with its reason."""

Scalar: TypeAlias = float | int | str | bool
"""What a single metric may hold on the wire."""


def known(value: T | Unknown) -> T | None:
    """The value, or None where it is unknown; for code that treats every reason alike."""
    return None if isinstance(value, Unknown) else value
