"""Which rows of a batch are new, and what is acked. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.messages.ack import MAX_RANGES, Ack, AckedRange
from shared.ranges import RangeSet


class _Numbered(Protocol):
    @property
    def seq(self) -> int:
        """The row's number in its stream."""
        ...


RowT = TypeVar("RowT", bound=_Numbered)


@dataclass(frozen=True, slots=True)
class Sifted(Generic[RowT]):
    """A batch beside what was committed: the new rows, the numbers given, the set afterwards."""

    new: tuple[RowT, ...]
    given: RangeSet
    committed: RangeSet


def sift(rows: Sequence[RowT], committed: RangeSet) -> Sifted[RowT]:
    """A number counts once, whatever is sent again; of rows that repeat in a batch the first."""
    numbers = [row.seq for row in rows]
    in_a_run = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    given = RangeSet(((numbers[0], numbers[-1]),)) if in_a_run else RangeSet.of_numbers(numbers)
    known = given.intersection(committed)
    if not known and len(given) == len(rows):
        new = tuple(rows)
    else:
        first: dict[int, RowT] = {}
        for row in rows:
            if row.seq not in known:
                first.setdefault(row.seq, row)
        new = tuple(first.values())
    return Sifted(new, given, committed.union(given))


def acks(ranges: Iterable[tuple[int, RangeSet]], births_wanted: Iterable[int]) -> list[Ack]:
    """Acks that name these numbers of each stream, merged, in as few messages as fit."""
    merged: dict[int, RangeSet] = {}
    for stream, numbers in ranges:
        merged[stream] = merged.get(stream, RangeSet()).union(numbers)
    rows = [
        AckedRange(stream, first, last)
        for stream, numbers in sorted(merged.items())
        for first, last in numbers.spans
    ]
    wanted = tuple(sorted(set(births_wanted)))[:1_000]
    if not rows and not wanted:
        return []
    parts = [rows[start : start + MAX_RANGES] for start in range(0, len(rows), MAX_RANGES)] or [[]]
    return [Ack(tuple(part), wanted if part is parts[0] else ()) for part in parts]
