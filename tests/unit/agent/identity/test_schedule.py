"""When a certificate is renewed."""

from hypothesis import given
from hypothesis import strategies as st

from agent.identity.schedule import (
    LONGEST_NAP_S,
    Standing,
    nap_s,
    renewal_due_ms,
    retry_after_s,
    standing,
)

DAY_MS = 86_400_000
SPREADS = st.floats(0, 1, exclude_max=True)


def test_it_is_due_at_two_thirds_of_its_life() -> None:
    assert renewal_due_ms(0, 6 * DAY_MS, 0) == 4 * DAY_MS
    assert standing(0, 6 * DAY_MS, 4 * DAY_MS - 1, 0) is Standing.FRESH
    assert standing(0, 6 * DAY_MS, 4 * DAY_MS, 0) is Standing.DUE
    assert standing(0, 6 * DAY_MS, 6 * DAY_MS, 0) is Standing.EXPIRED


@given(st.integers(0, 10**13), st.integers(1_000, 10**11), SPREADS)
def test_it_is_never_later_than_that_and_never_before_half(
    begins_ms: int, lifetime_ms: int, spread: float
) -> None:
    due_ms = renewal_due_ms(begins_ms, begins_ms + lifetime_ms, spread)
    assert begins_ms + lifetime_ms / 2 < due_ms <= begins_ms + lifetime_ms * 2 / 3 + 1


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_the_clock_is_looked_at_again_before_long(due_ms: int, now_ms: int) -> None:
    assert 0 <= nap_s(due_ms, now_ms) <= LONGEST_NAP_S


@given(st.integers(1, 10_000), SPREADS)
def test_retries_grow_rarer_and_never_stop(failures: int, spread: float) -> None:
    assert 15 <= retry_after_s(failures, spread) <= 3_600
    assert retry_after_s(failures, spread) <= retry_after_s(failures + 1, spread)
