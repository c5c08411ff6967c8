"""Splits by work sum to the satoshi and favour nobody by more than one."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.contracts.errors import TermsError
from controller.contracts.split import largest_remainder, split_by_work
from shared.bitcoin.amounts import MAX_MONEY_SAT

WORK = st.lists(st.integers(0, 2**80), min_size=1, max_size=40).filter(any)
AMOUNT = st.integers(0, MAX_MONEY_SAT)


@given(AMOUNT, WORK)
def test_shares_sum_to_the_amount_and_lie_within_a_satoshi_of_the_exact_ones(
    amount_sat: int, work: list[int]
) -> None:
    shares = largest_remainder(amount_sat, work)
    assert sum(shares) == amount_sat
    for share, weight in zip(shares, work, strict=True):
        assert abs(share - Fraction(amount_sat * weight, sum(work))) < 1


@given(AMOUNT, WORK)
def test_more_work_is_never_paid_less(amount_sat: int, work: list[int]) -> None:
    paid = sorted(zip(work, largest_remainder(amount_sat, work), strict=True))
    for (less, lower), (more, upper) in pairwise(paid):
        assert less == more or lower <= upper


@given(
    st.integers(0, 10**12),
    st.lists(st.integers(0, 2**64), min_size=1, max_size=20).filter(any),
    st.integers(0, 1_000_000),
    st.integers(330, 50_000),
)
def test_what_is_paid_and_what_is_carried_come_to_the_amount(
    amount_sat: int, work: list[int], fee_ppm: int, minimum_sat: int
) -> None:
    names = [f"customer-{place}" for place in range(len(work))]
    scripts = {
        name: b"\x00\x14" + bytes((place,)) * 20 for place, name in enumerate(["host", *names])
    }
    made = split_by_work(
        amount_sat, dict(zip(names, work, strict=True)), scripts, ("host", fee_ppm), minimum_sat
    )
    paid = sum(one.amount_sat for one in made.outputs)
    assert paid + sum(made.carried_sat.values()) == amount_sat
    assert all(one.amount_sat >= minimum_sat for one in made.outputs)
    assert all(0 < one < minimum_sat for one in made.carried_sat.values())


def test_the_satoshi_left_over_go_to_the_largest_remainders_in_order() -> None:
    assert largest_remainder(10, [1, 1, 1]) == (4, 3, 3)
    assert largest_remainder(100, [50, 33, 17]) == (50, 33, 17)
    assert largest_remainder(7, [1, 2, 2]) == (1, 3, 3)


@pytest.mark.parametrize("work", [[0, 0], [], [-1, 2], [1.5, 2]])
def test_work_that_is_none_is_refused(work: list[int]) -> None:
    with pytest.raises(TermsError):
        largest_remainder(10, work)


def test_work_of_somebody_unknown_or_of_the_host_is_refused() -> None:
    scripts = {"host": b"\x51", "a": b"\x52"}
    for name in ("b", "host"):
        with pytest.raises(TermsError, match=name):
            split_by_work(10, {name: 1, "a": 1}, scripts, ("host", 0), 330)
