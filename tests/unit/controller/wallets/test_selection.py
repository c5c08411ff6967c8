"""What may be chosen, and what is refused."""

import pytest

from controller.wallets.coin_life import CoinState
from controller.wallets.feerates import dust_limit_sat, fee_sat, vsize
from controller.wallets.selection import (
    CoinPool,
    Costs,
    Demand,
    InsufficientFundsError,
    PendingParent,
    Rules,
    SelectionError,
    select,
)
from shared.bitcoin.script import null_data, p2pkh_of_hash, p2tr, p2wpkh, p2wsh
from shared.bitcoin.transaction import TxOut
from shared.errors import BadInputError
from tests.wallet_coins import (
    CHANGE_SCRIPT,
    ORGANISATION,
    P2TR_INPUT,
    coin,
    costs,
    outpoint,
    pay,
    pool,
)


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        (p2pkh_of_hash(bytes(20)), 546),
        (p2wpkh(b"\x02" + bytes(32)), 294),
        (p2wsh(b"\x51"), 330),
        (p2tr(bytes(32)), 330),
        (null_data(b"x"), 0),
    ],
)
def test_the_dust_limits_are_those_of_bitcoin_core(script: bytes, limit: int) -> None:
    assert dust_limit_sat(script, 3_000) == limit


def test_a_fee_is_rounded_up_as_nodes_do() -> None:
    assert vsize(561) == 141
    assert fee_sat(1_000, 561) == 141
    assert fee_sat(1_001, 561) == 142


def test_coins_of_two_organisations_are_not_put_together() -> None:
    with pytest.raises(BadInputError, match="is of guest"):
        CoinPool(ORGANISATION, [coin(1, 1_000), coin(2, 1_000, organisation="guest")])
    mixed = pool([1_000])
    with pytest.raises(BadInputError, match="coins of own"):
        mixed.add(coin(9, 1_000, organisation="guest"))


@pytest.mark.parametrize("state", sorted(set(CoinState) - {CoinState.FINAL}))
def test_a_coin_in_a_state_that_is_not_allowed_is_never_in_the_pool(state: CoinState) -> None:
    with pytest.raises(BadInputError):
        CoinPool(ORGANISATION, [coin(1, 1_000, state=state)])


@pytest.mark.parametrize(
    "state", [CoinState.RESERVED, CoinState.TAINTED, CoinState.PLEDGED, CoinState.IMMATURE]
)
def test_no_setting_lets_a_held_or_immature_coin_be_chosen(state: CoinState) -> None:
    with pytest.raises(BadInputError):
        CoinPool(ORGANISATION, [coin(1, 1_000, state=state)], frozenset(CoinState))


def test_change_is_left_out_where_giving_away_the_rest_costs_less() -> None:
    chosen_from, asked = pool([100_000, 51_500, 48_700]), costs(10_000, 10_000)
    exact = select(chosen_from, Demand(pay(97_800), 1), asked)
    assert (exact.change_sat, {one.amount_sat for one in exact.coins}) == (0, {48_700, 51_500})
    assert select(chosen_from, Demand(pay(60_000), 1), asked).change_sat > 0


def test_change_is_never_dust_even_where_fees_are_next_to_nothing() -> None:
    for over in range(0, 800, 7):
        choice = select(pool([50_000]), Demand(pay(50_000 - 300 - over), 1), costs(200, 200))
        assert choice.change_sat == 0 or choice.change_sat >= 330


def test_named_coins_are_spent_and_others_only_where_that_is_allowed() -> None:
    chosen_from, named = pool([10_000, 20_000, 90_000]), (outpoint(1),)
    choice = select(chosen_from, Demand(pay(25_000), 1, named), costs(1_000))
    assert outpoint(1) in {one.outpoint for one in choice.coins}
    with pytest.raises(InsufficientFundsError):
        select(chosen_from, Demand(pay(25_000), 1, named, only_named=True), costs(1_000))
    with pytest.raises(SelectionError, match="cannot be spent"):
        select(chosen_from, Demand(pay(25_000), 1, (outpoint(7),)), costs(1_000))
    with pytest.raises(BadInputError, match="twice"):
        select(chosen_from, Demand(pay(25_000), 1, (outpoint(1),) * 2), costs(1_000))


def test_named_coins_without_an_output_move_to_change() -> None:
    choice = select(pool([10_000, 20_000]), Demand((), 1, (outpoint(1), outpoint(2))), costs(1_000))
    assert choice.change_sat == 30_000 - choice.fee_sat
    with pytest.raises(BadInputError, match="at least one"):
        select(pool([10_000]), Demand((), 1), costs(1_000))


def test_a_shortage_says_what_is_needed_and_what_there_is() -> None:
    with pytest.raises(InsufficientFundsError) as refusal:
        select(pool([10_000, 10_000, 20]), Demand(pay(30_000), 1), costs(1_000))
    assert refusal.value.needed_sat > 30_000
    assert 19_800 < refusal.value.available_sat < 20_000
    assert not refusal.value.by_weight


def test_dust_outputs_and_fees_above_the_ceiling_are_refused() -> None:
    with pytest.raises(BadInputError, match="dust"):
        select(pool([10_000]), Demand(pay(293), 1), costs(1_000))
    with pytest.raises(SelectionError, match="ceiling"):
        select(pool([90_000]), Demand(pay(30_000), 1), costs(9_000), Rules(max_fee_sat=100))


@pytest.mark.parametrize(("feerate", "change_weight"), [(0, 230), (10_000_001, 230), (1_000, 100)])
def test_costs_out_of_bounds_are_refused(feerate: int, change_weight: int) -> None:
    with pytest.raises(BadInputError):
        Costs(feerate, 1_000, CHANGE_SCRIPT, change_weight)


def parent(number: int, version: int, ancestors: int = 0, *, child: bool = False) -> PendingParent:
    return PendingParent(number.to_bytes(32, "little"), version, ancestors, child)


def pending_pool(*coins_of: tuple[int, PendingParent]) -> CoinPool:
    """One final coin of 10,000 sat beside pending own change."""
    return CoinPool(
        ORGANISATION,
        [coin(1, 10_000)]
        + [coin(number, amount, parent=one) for number, (amount, one) in enumerate(coins_of)],
    )


def test_pending_change_is_only_spent_where_the_rest_does_not_suffice() -> None:
    chosen_from = pending_pool((50_000, parent(1, 2)))
    for amount, count in ((5_000, 0), (40_000, 1)):
        choice = select(chosen_from, Demand(pay(amount), 1), costs(1_000))
        assert sum(one.pending_parent is not None for one in choice.coins) == count


@pytest.mark.parametrize(
    ("version", "one", "is_spent"),
    [
        (3, parent(1, 3), True),
        (3, parent(1, 3, child=True), False),
        (3, parent(1, 3, ancestors=1), False),
        (3, parent(1, 2), False),
        (2, parent(1, 3), False),
        (2, parent(1, 2, ancestors=23), True),
        (2, parent(1, 2, ancestors=24), False),
    ],
)
def test_what_may_rest_on_what_follows_bip431(
    version: int, one: PendingParent, *, is_spent: bool
) -> None:
    demand = Demand(pay(40_000), 1)
    chosen_from = pending_pool((50_000, one))
    if is_spent:
        assert select(chosen_from, demand, costs(1_000), Rules(version)).coins
        return
    with pytest.raises(InsufficientFundsError):
        select(chosen_from, demand, costs(1_000), Rules(version))
    named = next(coin.outpoint for coin in chosen_from.pending)
    with pytest.raises(SelectionError, match="cannot spend the pending"):
        select(chosen_from, Demand(pay(40_000), 1, (named,)), costs(1_000), Rules(version))


def test_a_child_of_version_3_rests_on_one_parent_and_has_1000_virtual_bytes() -> None:
    two = pending_pool((30_000, parent(1, 3)), (30_000, parent(2, 3)))
    with pytest.raises(InsufficientFundsError):
        select(two, Demand(pay(60_000), 1), costs(1_000), Rules(3))
    many = CoinPool(
        ORGANISATION,
        [coin(number, 1_000) for number in range(2, 100)] + [coin(0, 60_000, parent=parent(1, 3))],
    )
    with pytest.raises(InsufficientFundsError):
        select(many, Demand(pay(120_000), 1), costs(200), Rules(3))
    child = select(many, Demand(pay(70_000), 1, (many.pending[0].outpoint,)), costs(200), Rules(3))
    assert len(child.coins) > 10
    assert child.weight <= 4_000


def test_a_payment_of_version_3_has_10000_virtual_bytes_at_the_most() -> None:
    chosen_from = pool([1_000] * 400)
    with pytest.raises(InsufficientFundsError) as refusal:
        select(chosen_from, Demand(pay(200_000), 1), costs(1_000), Rules(3))
    assert refusal.value.by_weight
    assert select(chosen_from, Demand(pay(200_000), 1), costs(1_000), Rules(2)).weight > 40_000


def test_the_seed_alone_decides_what_is_drawn() -> None:
    chosen_from = pool([10_000 + 37 * number for number in range(300)])
    asked = costs(1_000, 50_000)
    choices = [select(chosen_from, Demand(pay(400_000), seed), asked) for seed in (1, 1, 2)]
    assert choices[0] == choices[1]
    assert isinstance(choices[2].coins, tuple)


def test_an_amount_above_all_the_money_is_refused() -> None:
    huge = (TxOut(2_000_000_000_000_000, p2tr(bytes(32))),) * 2
    with pytest.raises(BadInputError):
        select(pool([1_000], P2TR_INPUT), Demand(huge, 1), costs())
