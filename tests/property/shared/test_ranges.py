"""RangeSet agrees with a plain set of integers."""

from hypothesis import given
from hypothesis import strategies as st

from shared.ranges import RangeSet

spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=12
)


def plain(pairs: list[tuple[int, int]]) -> set[int]:
    return {n for first, last in pairs for n in range(first, last + 1)}


def is_normal(ranges: RangeSet) -> bool:
    return all(a[1] + 1 < b[0] for a, b in zip(ranges.spans, ranges.spans[1:], strict=False))


@given(spans, spans)
def test_set_algebra_agrees_with_plain_sets(
    left: list[tuple[int, int]], right: list[tuple[int, int]]
) -> None:
    a, b = RangeSet.of(left), RangeSet.of(right)
    for result, expected in (
        (a, plain(left)),
        (a.union(b), plain(left) | plain(right)),
        (a.difference(b), plain(left) - plain(right)),
        (a.intersection(b), plain(left) & plain(right)),
    ):
        assert set(result) == expected
        assert len(result) == len(expected)
        assert is_normal(result)


@given(spans)
def test_adding_one_by_one_gives_the_union(pairs: list[tuple[int, int]]) -> None:
    grown = RangeSet()
    for first, last in pairs:
        grown = grown.add(first, last)
        assert grown.covers(first, last)
    assert grown == RangeSet.of(pairs)


@given(spans, st.integers(-2, 70), st.integers(0, 6))
def test_membership_and_cover_agree(pairs: list[tuple[int, int]], first: int, length: int) -> None:
    ranges, numbers = RangeSet.of(pairs), plain(pairs)
    assert (first in ranges) == (first in numbers)
    wanted = set(range(first, first + length + 1))
    assert ranges.covers(first, first + length) == (wanted <= numbers)
