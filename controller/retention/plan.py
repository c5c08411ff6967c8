"""What may be deleted, of what is past its time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.retention.classes import DataClass


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold in force; None stands for every class, every node, from the first, to the last.

    `to_ms` is exclusive.
    """

    data_class: DataClass | None
    node: str | None
    from_ms: int | None
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A span [from_ms, to_ms) that a hold keeps, of one node or (None) of all."""

    node: str | None
    from_ms: int
    to_ms: int


FIRST_MS = 0
LAST_MS = 2**62


def kept_spans(holds: Iterable[Hold], data_class: DataClass) -> list[Kept]:
    """What holds keep of a class."""
    return [
        Kept(
            node=hold.node,
            from_ms=FIRST_MS if hold.from_ms is None else hold.from_ms,
            to_ms=LAST_MS if hold.to_ms is None else hold.to_ms,
        )
        for hold in holds
        if hold.data_class in {None, data_class}
    ]


def held_wholly_or_partly(kept: Iterable[Kept], from_ms: int, to_ms: int) -> bool:
    """Whether a hold of any node reaches into [from_ms, to_ms): it must be deleted row by row."""
    return any(span.from_ms < to_ms and from_ms < span.to_ms for span in kept)


def cutoff(now_ms: int, keep_ms: int | None) -> int | None:
    """What is older may go; None when the class is kept for ever."""
    return None if keep_ms is None else now_ms - keep_ms
