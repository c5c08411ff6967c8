"""What is done about a transaction that does not confirm."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.wallets.fee_ladder import (
    BLOCK_MS,
    Alarm,
    Bump,
    Child,
    Limits,
    Market,
    Replace,
    Sent,
    Wait,
    next_action,
)
from controller.wallets.feerates import fee_sat, feerate_of
from shared.errors import BadInputError

NOW = 1_700_000_000_000
MARKET = Market({1: 20_000, 3: 10_000, 6: 5_000, 144: 1_000}, 100, 100)
SENT = Sent(
    version=3,
    weight=800,
    fee_sat=400,  # 2 sat/vB
    sent_ms=NOW,
    may_replace=True,
    own_change_sat=50_000,
    least_change_sat=330,
    child_weight=600,
)


def limits(blocks: int, ceiling: int = 100_000) -> Limits:
    return Limits(NOW + blocks * BLOCK_MS, ceiling)


def test_nothing_is_raised_while_there_is_time() -> None:
    action = next_action(SENT, limits(1_000), NOW, MARKET)
    assert isinstance(action, Wait)
    assert action.until_ms > NOW


def test_the_nearer_the_deadline_the_more_is_paid() -> None:
    fees = []
    for blocks in (6, 3, 1):
        action = next_action(SENT, limits(blocks), NOW, MARKET)
        assert isinstance(action, Replace)
        fees.append(action.fee_sat)
    assert fees == [1_000, 2_000, 4_000]


def test_a_replacement_pays_for_what_it_evicts_and_its_own_relay() -> None:
    """Rules 3 and 4, with a child of ours in the mempool."""
    sent = replace(SENT, child=Child(600, 5_000))
    action = next_action(sent, limits(1), NOW, replace_incremental(1_000))
    assert isinstance(action, Replace)
    assert action.fee_sat >= 400 + 5_000 + 200


def replace_incremental(feerate: int) -> Market:
    return Market({1: 40_000}, 100, feerate)


def test_where_it_may_not_be_replaced_a_child_pays_for_both() -> None:
    sent = replace(SENT, may_replace=False)
    action = next_action(sent, limits(1), NOW, MARKET)
    assert isinstance(action, Bump)
    assert feerate_of(400 + action.child_fee_sat, 800 + 600) >= 20_000
    again = replace(sent, child=Child(600, action.child_fee_sat))
    assert isinstance(next_action(again, limits(1), NOW, MARKET), Wait)
    dearer = Market({1: 60_000}, 100, 100)
    more = next_action(again, limits(1), NOW, dearer)
    assert isinstance(more, Bump)
    assert more.child_fee_sat >= action.child_fee_sat + fee_sat(100, 600)


@pytest.mark.parametrize(
    "sent",
    [
        replace(SENT, may_replace=False, own_change_sat=0),
        replace(SENT, may_replace=False, child_weight=4_001),
        replace(SENT, may_replace=False, own_change_sat=340),
    ],
)
def test_where_nothing_can_be_done_somebody_is_told(sent: Sent) -> None:
    action = next_action(sent, limits(1), NOW, MARKET)
    assert isinstance(action, Alarm)
    assert action.wanted_feerate == 20_000


def test_the_ceiling_is_never_passed() -> None:
    action = next_action(SENT, limits(1, 1_500), NOW, MARKET)
    assert action == Replace(1_500, 7_500, capped=True)
    assert isinstance(next_action(SENT, limits(1, 405), NOW, MARKET), Alarm)
    assert isinstance(next_action(SENT, limits(1, 399), NOW, MARKET), Alarm)


def test_an_unknown_market_raises_nothing() -> None:
    action = next_action(SENT, limits(1), NOW, Market({}, 100, 100))
    assert action == Wait(NOW + BLOCK_MS, "the market is not known")


def test_a_market_out_of_bounds_is_refused() -> None:
    with pytest.raises(BadInputError):
        Market({0: 1_000}, 100, 100)
    with pytest.raises(BadInputError):
        Market({1: 0}, 100, 100)


@given(
    st.integers(200, 40_000),
    st.integers(0, 10**7),
    st.integers(1, 200),
    st.integers(1, 10**6),
    st.dictionaries(st.integers(1, 1_000), st.integers(1, 10**6), max_size=5),
    st.integers(1, 5_000),
    st.booleans(),
)
def test_every_step_is_one_that_nodes_take_and_the_ladder_ends(
    weight: int,
    ceiling: int,
    blocks: int,
    change: int,
    estimates: dict[int, int],
    incremental: int,
    may_replace: bool,
) -> None:
    """Steps follow each other as long as the market asks for them."""
    market, asked = Market(estimates, 100, incremental), limits(blocks, ceiling)
    fee = fee_sat(100, weight)
    sent = Sent(3, weight, fee, NOW, may_replace, change, 330, 600)
    for _ in range(100):
        action = next_action(sent, asked, NOW, market)
        if isinstance(action, Wait | Alarm):
            return
        if isinstance(action, Replace):
            assert action.fee_sat >= sent.paid_sat + fee_sat(incremental, weight)
            assert feerate_of(action.fee_sat, weight) > feerate_of(sent.fee_sat, weight)
            assert action.fee_sat <= ceiling
            sent = replace(sent, fee_sat=action.fee_sat, child=None)
        else:
            assert sent.fee_sat + action.child_fee_sat <= ceiling
            assert change - action.child_fee_sat >= 330
            sent = replace(sent, child=Child(600, action.child_fee_sat))
    pytest.fail("the ladder has no end")
