"""Whatever the coins, feerate and outputs: sums are exact, and no simple choice is better."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.wallets.feerates import dust_limit_sat, fee_sat, max_weight
from controller.wallets.selection import (
    Choice,
    CoinPool,
    Costs,
    Demand,
    Rules,
    SelectionError,
    Spendable,
    select,
)
from controller.wallets.selection.evaluate import Judge
from shared.bitcoin.transaction import TxOut
from tests.wallet_coins import (
    CHANGE_SCRIPT,
    ORGANISATION,
    P2TR_INPUT,
    P2WPKH_INPUT,
    P2WSH_INPUT,
    built,
    coin,
    costs,
    pay,
    pool,
)

AMOUNTS = st.one_of(st.integers(1, 20_000), st.integers(1, 5_000_000), st.just(100_000))
FEERATES = st.one_of(st.integers(1, 3_000), st.integers(1_000, 300_000))
PAID = st.lists(st.integers(1_000, 3_000_000), min_size=1, max_size=4)


@st.composite
def pools(draw: st.DrawFn, most: int = 60) -> CoinPool:
    """Coins of several kinds."""
    amounts = draw(st.lists(AMOUNTS, min_size=1, max_size=most))
    weights = st.sampled_from([P2TR_INPUT, P2WPKH_INPUT, P2WSH_INPUT])
    return CoinPool(
        ORGANISATION, [coin(number, one, draw(weights)) for number, one in enumerate(amounts)]
    )


def check(choice: Choice, paid: tuple[TxOut, ...], asked: Costs, rules: Rules) -> None:
    """What holds of every choice."""
    assert choice.total_sat == sum(one.amount_sat for one in paid) + choice.change_sat + (
        choice.fee_sat
    )
    assert choice.fee_sat >= fee_sat(asked.feerate, choice.weight)
    assert 4_000 * choice.fee_sat >= asked.feerate * choice.weight
    assert choice.weight <= max_weight(rules.version, spends_unconfirmed=False)
    assert len({one.outpoint for one in choice.coins}) == len(choice.coins) > 0
    dust = dust_limit_sat(CHANGE_SCRIPT, asked.dust_relay_feerate)
    assert choice.change_sat == 0 or choice.change_sat >= max(dust, asked.least_change)
    if choice.change_sat:
        assert choice.fee_sat == fee_sat(asked.feerate, choice.weight)


@given(pools(), PAID, FEERATES, FEERATES, st.sampled_from([2, 3]), st.integers(0, 2**32))
def test_inputs_are_outputs_and_fee_to_the_satoshi(
    chosen_from: CoinPool, amounts: list[int], feerate: int, long_term: int, version: int, seed: int
) -> None:
    asked, rules, paid = costs(feerate, long_term), Rules(version), pay(*amounts)
    try:
        choice = select(chosen_from, Demand(paid, seed), asked, rules)
    except SelectionError:
        judge = Judge(asked, paid, max_weight(version, spends_unconfirmed=False))
        assert judge.judge([one for one in chosen_from if one.effective(feerate) > 0], "") is None
    else:
        check(choice, paid, asked, rules)
        assert all(one.outpoint in chosen_from for one in choice.coins)
        assert choice == select(chosen_from, Demand(paid, seed), asked, rules)


@given(pools(), PAID, FEERATES)
def test_the_weight_is_that_of_the_transaction(
    chosen_from: CoinPool, amounts: list[int], feerate: int
) -> None:
    """For taproot key paths, whose witness always weighs the same."""
    key_paths = CoinPool(
        ORGANISATION, [one for one in chosen_from if one.input_weight == P2TR_INPUT]
    )
    paid = pay(*amounts)
    try:
        choice = select(key_paths, Demand(paid, 1), costs(feerate))
    except SelectionError:
        return
    change = [TxOut(choice.change_sat, CHANGE_SCRIPT)] if choice.change_sat else []
    assert built(choice.coins, [*paid, *change], bytes(64)).weight == choice.weight


def simple_choices(coins: list[Spendable], judge: Judge) -> list[Choice]:
    """What anyone would try: from the largest, from the smallest, in the order they came, one."""
    orders = [
        sorted(coins, key=lambda one: one.amount_sat, reverse=True),
        sorted(coins, key=lambda one: one.amount_sat),
        coins,
    ]
    tried = [order[:count] for order in orders for count in range(1, len(order) + 1)]
    tried += [[one] for one in coins]
    return [found for one in tried if (found := judge.judge(one, "simple")) is not None]


@given(st.lists(AMOUNTS, min_size=1, max_size=25), PAID, st.integers(5_000, 200_000))
def test_no_simple_choice_wastes_less(amounts: list[int], paid: list[int], feerate: int) -> None:
    """Where the feerate is at or above the long-term one, so that fewer inputs are better, and
    among coins that are worth more than their own fee."""
    chosen_from, asked = pool(amounts), costs(feerate, 5_000)
    judge = Judge(asked, pay(*paid), max_weight(2, spends_unconfirmed=False))
    simple = simple_choices([one for one in chosen_from if one.effective(feerate) > 0], judge)
    try:
        choice = select(chosen_from, Demand(pay(*paid), 1), asked)
    except SelectionError:
        assert simple == []
    else:
        assert choice.waste <= min((one.waste for one in simple), default=choice.waste)


@settings(max_examples=40)
@given(st.lists(AMOUNTS, min_size=1, max_size=9), PAID, st.integers(5_000, 100_000))
def test_a_small_pool_is_chosen_from_as_well_as_trying_everything_would(
    amounts: list[int], paid: list[int], feerate: int
) -> None:
    chosen_from, asked = pool(amounts), costs(feerate, 5_000)
    judge = Judge(asked, pay(*paid), max_weight(2, spends_unconfirmed=False))
    useful = [one for one in chosen_from if one.effective(feerate) > 0]
    every = [
        found
        for count in range(1, len(useful) + 1)
        for some in combinations(useful, count)
        if (found := judge.judge(some, "every")) is not None
    ]
    if not every:
        with pytest.raises(SelectionError):
            select(chosen_from, Demand(pay(*paid), 1), asked)
        return
    assert select(chosen_from, Demand(pay(*paid), 1), asked).waste == min(
        one.waste for one in every
    )


@given(pools(), PAID, FEERATES, st.data())
def test_named_coins_are_in_the_choice(
    chosen_from: CoinPool, amounts: list[int], feerate: int, data: st.DataObject
) -> None:
    named = data.draw(
        st.lists(st.sampled_from([one.outpoint for one in chosen_from]), max_size=5, unique=True)
    )
    alone = data.draw(st.booleans())
    demand = Demand(pay(*amounts), 1, tuple(named), only_named=alone and bool(named))
    try:
        choice = select(chosen_from, demand, costs(feerate))
    except SelectionError:
        return
    check(choice, pay(*amounts), costs(feerate), Rules())
    assert set(named) <= {one.outpoint for one in choice.coins}
    if demand.only_named:
        assert len(choice.coins) == len(named)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.data())
def test_a_pool_that_changes_is_the_pool_made_anew(amounts: list[int], data: st.DataObject) -> None:
    coins = [coin(number, one) for number, one in enumerate(amounts)]
    kept = CoinPool(ORGANISATION)
    for one in data.draw(st.permutations(coins)):
        kept.add(one)
    for one in data.draw(st.lists(st.sampled_from(coins), unique=True)):
        kept.discard(one.outpoint)
        kept.discard(one.outpoint)
    fresh = CoinPool(ORGANISATION, list(kept))
    assert [[one.amount_sat for one in group] for group in kept.settled] == [
        [one.amount_sat for one in group] for group in fresh.settled
    ]
    upper = data.draw(st.integers(1, 60))
    seen = fresh.window(4_000 * upper, 1, 10)
    fits = [one for one in kept if 0 < one.effective(1) <= 4_000 * upper]
    assert len(seen) <= 10
    assert {one.outpoint for one in seen} <= {one.outpoint for one in fits}
    assert len(fits) > 10 or len(seen) == len(fits)
