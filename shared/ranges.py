"""Sets of sequence numbers as sorted, disjoint, non-adjacent inclusive ranges. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RangeSet:
    """An immutable set of integers, cheap where its members come in runs.

    `spans` holds (first, last) pairs, sorted, neither overlapping nor adjacent.
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> "RangeSet":
        """The union of inclusive (first, last) pairs in any order; `ValueError` if last < first."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(pairs):
            if last < first:
                raise ValueError(f"a range from {first} to {last}")
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def of_numbers(cls, numbers: Iterable[int]) -> "RangeSet":
        """The set of single numbers."""
        return cls.of((number, number) for number in numbers)

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self.spans, number, key=lambda span: span[0]) - 1
        return index >= 0 and number <= self.spans[index][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.spans:
            yield from range(first, last + 1)

    def covers(self, first: int, last: int) -> bool:
        """Whether every number of first..last is in the set."""
        index = bisect_right(self.spans, first, key=lambda span: span[0]) - 1
        return index >= 0 and last <= self.spans[index][1]

    def union(self, other: "RangeSet") -> "RangeSet":
        """Numbers of either."""
        if len(other.spans) == 1:
            return self.add(*other.spans[0])
        return RangeSet.of((*self.spans, *other.spans))

    def add(self, first: int, last: int) -> "RangeSet":
        """With first..last; cost is that of the spans it touches."""
        if last < first:
            raise ValueError(f"a range from {first} to {last}")
        low = bisect_left(self.spans, first - 1, key=lambda span: span[1])
        high = bisect_right(self.spans, last + 1, key=lambda span: span[0])
        if low < high:
            first = min(first, self.spans[low][0])
            last = max(last, self.spans[high - 1][1])
        return RangeSet((*self.spans[:low], (first, last), *self.spans[high:]))

    def difference(self, other: "RangeSet") -> "RangeSet":
        """Numbers of this set that are not in the other."""
        left: list[tuple[int, int]] = []
        for span_first, span_last in self.spans:
            first = span_first
            start = bisect_left(other.spans, first, key=lambda span: span[1])
            for cut_first, cut_last in other.spans[start:]:
                if cut_first > span_last:
                    break
                if cut_first > first:
                    left.append((first, cut_first - 1))
                first = max(first, cut_last + 1)
            if first <= span_last:
                left.append((first, span_last))
        return RangeSet(tuple(left))

    def intersection(self, other: "RangeSet") -> "RangeSet":
        """Numbers of both."""
        return self.difference(self.difference(other))
