"""The money replay of the benchmark: its sums and its upper bound."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from agent.site.situation import Limits
from shared.price.market import INTERVAL_MS, MarketHistory, MarketInterval
from tests.bench.money import (
    Assumptions,
    Market,
    MinerModel,
    always_on,
    best_possible_usd,
    foresight,
    market,
    replay,
    without_forecast,
)

MINER = MinerModel("one", 4_000, 100_000)
# 100 TH/s at 0.96 USD per TH/s and day earn 1 USD a quarter; 4 kW cost price / 1000 USD a quarter.
SITE = Assumptions(
    fleet=(MINER,),
    miners_a_model=1,
    earnings=replace(
        Assumptions().earnings, hashprice_usd_per_th_day=Decimal("0.96"), pool_fee=Decimal(0)
    ),
    limits=Limits(restart_cost_usd=Decimal("0.5")),
)


def span(prices: Sequence[float]) -> Market:
    before = MarketInterval(0, real_time_usd_per_mwh=0.0)
    coming = [
        MarketInterval((n + 1) * INTERVAL_MS, real_time_usd_per_mwh=price)
        for n, price in enumerate(prices)
    ]
    history = MarketHistory.of([before, *coming])
    return market(history, INTERVAL_MS, (len(prices) + 1) * INTERVAL_MS)


def test_always_on_earns_the_hashing_less_the_energy_of_every_quarter() -> None:
    outcome = always_on(SITE, span([200.0, 3_000.0, -100.0]))
    assert outcome.revenue_usd == 3
    assert outcome.energy_usd == Decimal("3.1")
    assert outcome.earned_usd == Decimal("-0.1")
    assert outcome.restarts == 0
    assert outcome.miner_hours_off == 0


def test_the_last_known_price_is_one_quarter_late_and_pays_for_its_restart() -> None:
    dear = [9_000.0] * 4
    outcome = replay(SITE, span([100.0, *dear, 100.0, 100.0, 100.0]), without_forecast)
    assert outcome.miner_hours_off == 1
    assert outcome.restarts == 1
    assert outcome.restart_usd == Decimal("0.5")
    assert outcome.earned_usd == Decimal(4) - Decimal("9.3") - Decimal("0.5")


def test_a_feed_that_gives_the_running_price_stops_in_time() -> None:
    prices = span([100.0, 9_000.0, 9_000.0, 100.0])
    late = replay(SITE, prices, without_forecast)
    timely = replay(SITE, prices, without_forecast, running_known=True)
    assert timely.energy_usd == Decimal("0.2")
    assert late.energy_usd > timely.energy_usd


def test_foresight_stops_before_the_spike_and_nobody_earns_more_than_the_best() -> None:
    prices = span([100.0, 9_000.0, 9_000.0, 9_000.0, 9_000.0, 100.0, 100.0, 100.0])
    seen = replay(SITE, prices, foresight(prices))
    blind = replay(SITE, prices, without_forecast)
    assert seen.earned_usd == Decimal(4) - Decimal("0.4") - Decimal("0.5")
    assert blind.earned_usd < seen.earned_usd <= best_possible_usd(SITE, prices)


@pytest.mark.parametrize(("min_on", "min_off"), [(0, 0), (2, 1), (1, 3), (3, 2)])
def test_the_best_possible_is_the_best_of_all_schedules(min_on: int, min_off: int) -> None:
    limits = Limits(
        min_on_ms=min_on * INTERVAL_MS,
        min_off_ms=min_off * INTERVAL_MS,
        restart_cost_usd=Decimal("0.5"),
    )
    prices = [1_200.0, 900.0, 3_000.0, 400.0, 1_500.0, 1_100.0, 100.0, 2_000.0, 1_300.0, 800.0]
    schedules = product((True, False), repeat=len(prices))
    best = max(
        _earned(schedule, prices)
        for schedule in schedules
        if _allowed(schedule, max(1, min_on), max(1, min_off))
    )
    found = best_possible_usd(replace(SITE, limits=limits), span(prices))
    assert float(found) == pytest.approx(best)


def _earned(schedule: Sequence[bool], prices: Sequence[float]) -> float:
    starts = sum(
        now and not before for before, now in zip((True, *schedule), schedule, strict=False)
    )
    running = sum(1 - price / 1000 for on, price in zip(schedule, prices, strict=True) if on)
    return running - 0.5 * starts


def _allowed(schedule: Sequence[bool], min_on: int, min_off: int) -> bool:
    """Whether every stay but the first (long since on) and the last (not over) is long enough."""
    state, lasted = True, 10**6
    for on in schedule:
        if on == state:
            lasted += 1
            continue
        if lasted < (min_on if state else min_off):
            return False
        state, lasted = on, 1
    return True
