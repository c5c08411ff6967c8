"""Which of several fields counts where devices report the same thing in different places."""

from typing import TypeVar

from shared.measured import Measured, Reason, Unknown

T = TypeVar("T")


def first_reported(*candidates: Measured[T]) -> Measured[T]:
    """The first candidate that the device reported at all, known or not; without one, the last.

    A value that is there but malformed is not passed over: the next field means something else.
    """
    for candidate in candidates[:-1]:
        if not isinstance(candidate, Unknown) or candidate.reason is not Reason.NOT_REPORTED:
            return candidate
    return candidates[-1]


def first_known(first: Measured[T], *others: Measured[T]) -> Measured[T]:
    """The first value that is known; without one, the first one's reason.

    For places that report the very same thing, so that one stands in for another that failed.
    """
    for value in (first, *others):
        if not isinstance(value, Unknown):
            return value
    return first
