"""Random chains, reorganisations included: the contract's state is what the chain shows."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.contracts.facts import CoinFact, Funding, Reading, SpendFact, funding, observe
from controller.contracts.life import (
    TERMINAL,
    ContractEvent,
    ContractState,
    step,
)
from controller.contracts.paths import Outcome
from shared.bitcoin.transaction import OutPoint

AGREED = {"first": 1_000, "second": 500}
_S = ContractState


def _changed(reading: Reading, draw: random.Random) -> Reading:
    """One thing that a chain can do: a coin or a spend comes, goes, or becomes final."""
    coins = list(reading.coins)
    fresh = CoinFact(
        OutPoint(draw.randbytes(32), 0), draw.choice(list(AGREED)), draw.choice([500, 1_000, 1_500])
    )
    if not coins or draw.random() < 0.3:
        return replace(reading, coins=(*coins, fresh))
    place = draw.randrange(len(coins))
    coin = coins[place]
    spend = coin.spend
    if spend is not None and spend.is_final:
        return reading
    if spend is None and draw.random() < 0.4:
        del coins[place]
    elif spend is None:
        outcome = draw.choice([*Outcome, Outcome.SETTLES, None])
        coins[place] = replace(coin, spend=SpendFact(draw.randbytes(32), outcome))
    elif draw.random() < 0.4:
        coins[place] = replace(coin, spend=None)
    else:
        coins[place] = replace(coin, spend=replace(spend, is_final=True))
    return replace(reading, coins=tuple(coins))


def _check(state: ContractState, reading: Reading) -> None:
    spends = [coin.spend for coin in reading.coins if coin.spend is not None]
    under_way = [one for one in spends if not one.is_final]
    all_final = bool(reading.coins) and len(spends) == len(reading.coins) and not under_way
    if state in TERMINAL:
        assert all_final or (state is _S.EXPIRED and not reading.coins)
        return
    if any(one.outcome is None for one in under_way):
        assert state is _S.INCIDENT
    if state is _S.SPENDING:
        assert under_way
    if state is _S.APPROVED:
        assert not under_way
        assert not reading.coins or all_final
    if state is _S.FUNDED:
        assert not under_way
        assert reading.coins


@given(seed=st.integers(0, 2**64), steps=st.integers(1, 40))
def test_a_contract_is_where_the_chain_shows_it_and_ends_on_final_facts_only(
    seed: int, steps: int
) -> None:
    draw = random.Random(seed)
    state = step(_S.DRAFT, ContractEvent.APPROVED).state
    seen = reading = Reading()
    for _ in range(steps):
        reading = _changed(reading, draw)
        if draw.random() < 0.3:
            continue  # the controller was away for that one
        for event in observe(seen, reading, AGREED):
            state = step(state, event).state
        seen = reading
        _check(state, reading)
        if state in TERMINAL:
            return


@given(seed=st.integers(0, 2**64), steps=st.integers(1, 30))
def test_whatever_came_before_funding_is_told_by_its_level(seed: int, steps: int) -> None:
    draw = random.Random(seed)
    reading = Reading()
    for _ in range(steps):
        before, reading = reading, _changed(reading, draw)
        events = set(observe(before, reading, AGREED))
        was, now = funding(before, AGREED), funding(reading, AGREED)
        if now is Funding.NONE < was:
            assert ContractEvent.FUNDING_UNDONE in events
        if was < now:
            assert events & {
                ContractEvent.FUNDED_IN_PART,
                ContractEvent.FUNDED_IN_FULL,
                ContractEvent.FUNDED_ABOVE,
                ContractEvent.FUNDED_AGAIN,
            }
