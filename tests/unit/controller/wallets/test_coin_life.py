"""The tables of a coin's life."""

import itertools
from pathlib import Path

import pytest

from controller.wallets.coin_life import (
    HOLDS,
    ChainEvent,
    CoinState,
    Hold,
    HoldEvent,
    Standing,
    after,
    diagram_page,
    first_standing,
    held_after,
    life,
    lowest_height,
    shown,
)

PAGE = Path(__file__).parents[4] / "docs" / "diagrams" / "coin.md"


def test_the_diagram_in_the_documents_is_that_of_the_tables() -> None:
    """Written anew by `python -m controller.wallets.coin_life > FILE`."""
    assert PAGE.read_text(encoding="utf-8") == diagram_page()


def test_only_a_block_brings_a_reorganised_coinbase_back() -> None:
    back = {
        event
        for event in ChainEvent
        if after(Standing.GONE, event, is_coinbase=True) is not Standing.GONE
    }
    assert back == {ChainEvent.MINED}
    assert after(Standing.GONE, ChainEvent.MINED, is_coinbase=True) is Standing.IMMATURE


def test_a_coinbase_is_never_pending_and_anything_else_never_immature() -> None:
    for is_coinbase, never in ((True, Standing.PENDING), (False, Standing.IMMATURE)):
        reached = {
            first_standing(is_coinbase=is_coinbase, in_block=in_block) for in_block in (True, False)
        }
        for _ in Standing:
            reached |= {
                target
                for state in reached
                for target in life(is_coinbase=is_coinbase).get(state, {}).values()
            }
        assert reached == set(Standing) - {never}


@pytest.mark.parametrize("is_coinbase", [True, False])
def test_what_is_spent_or_gone_can_be_undone_but_not_spent_again(*, is_coinbase: bool) -> None:
    for standing in (Standing.SPENT, Standing.GONE):
        assert after(standing, ChainEvent.SPENT, is_coinbase=is_coinbase) is standing
        assert life(is_coinbase=is_coinbase)[standing]


def test_every_state_is_shown_and_a_hold_never_hides_that_a_coin_is_spent() -> None:
    pairs = set(itertools.product(Standing, Hold))
    assert {shown(standing, hold) for standing, hold in pairs} == set(CoinState)
    for hold in Hold:
        assert shown(Standing.SPENT, hold) is CoinState.SPENT
    assert shown(Standing.FINAL, Hold.TAINTED) is CoinState.TAINTED


def test_a_coin_is_reserved_only_while_it_is_free() -> None:
    reservable = {hold for hold in Hold if held_after(hold, HoldEvent.RESERVED) is not None}
    assert reservable == {Hold.FREE}
    assert set(HOLDS) == set(Hold)


def test_a_coinbase_may_be_spent_in_the_hundredth_block_above_it() -> None:
    """Core, consensus/tx_verify.cpp: nSpendHeight - coin.nHeight < COINBASE_MATURITY is refused."""
    assert lowest_height(ChainEvent.MATURED, 99, 6) == 0
    assert lowest_height(ChainEvent.BURIED, 6, 6) == 1
    assert lowest_height(ChainEvent.SPENT, 6, 6) is None
