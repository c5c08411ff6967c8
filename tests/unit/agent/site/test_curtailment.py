"""The curtailment decision on sites small enough to work out by hand.

The miner here draws 3,000 W and makes 150 TH/s. At 0.048 USD per TH and day that is 0.30 USD an
hour, so that its breakeven is 100 USD/MWh.
"""

import random
import time
from dataclasses import replace
from decimal import Decimal
from statistics import quantiles

import pytest

from agent.site.curtailment import decide
from agent.site.economics import expected_price
from agent.site.situation import (
    Assignment,
    Basis,
    Decision,
    Earnings,
    Limits,
    MinerState,
    Price,
    Profile,
    Reason,
    RunPoint,
    SafeMode,
    Situation,
)
from shared.errors import BadInputError
from shared.price.forecast import Forecast, HorizonForecast, NoForecast, NoForecastReason
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

QUARTER_MS = 900_000
HOUR_MS = 4 * QUARTER_MS
NOW_MS = 480_000 * HOUR_MS
NO_MODEL = NoForecast(NoForecastReason.NO_MODEL)
EARNINGS = Earnings(Decimal("0.048"))
GOOD = Profile((RunPoint(Run(), 3_000, 150_000),))
POOR = Profile((RunPoint(Run(), 3_000, 75_000),))


def miner(name: str, current: Setpoint | None = None, profile: Profile = GOOD) -> MinerState:
    return MinerState(name, profile, Run() if current is None else current)


def ended(usd_per_mwh: str) -> Price:
    return Price(NOW_MS - QUARTER_MS, NOW_MS, Decimal(usd_per_mwh))


def forecast(*usd_per_mwh: float) -> Forecast:
    return Forecast(
        NOW_MS,
        tuple(
            HorizonForecast(
                NOW_MS + i * QUARTER_MS, NOW_MS + (i + 1) * QUARTER_MS, {0.1: p, 0.5: p, 0.9: p}
            )
            for i, p in enumerate(usd_per_mwh)
        ),
    )


def site(
    *miners: MinerState,
    price: Price | None,
    ahead: Forecast | NoForecast = NO_MODEL,
    limits: Limits | None = None,
) -> Situation:
    return Situation(miners, price, ahead, EARNINGS, limits or Limits())


def decided(situation: Situation) -> Decision:
    return decide(situation, NOW_MS)


def only(decision: Decision) -> Assignment:
    (assignment,) = decision.assignments
    return assignment


@pytest.mark.parametrize(
    ("price", "setpoint", "reason"),
    [
        ("99.99", Run(), Reason.PROFITABLE),
        ("100.00", Run(), Reason.PROFITABLE),
        ("100.01", Stop(), Reason.UNPROFITABLE),
        ("-20", Run(), Reason.PROFITABLE),
    ],
)
def test_without_a_forecast_the_last_price_decides_and_says_so(
    price: str, setpoint: Setpoint, reason: Reason
) -> None:
    decision = decided(site(miner("a"), price=ended(price)))
    assert decision.basis is Basis.LAST_PRICE
    assert decision.detail == NoForecastReason.NO_MODEL.value
    assert only(decision).setpoint == setpoint
    assert only(decision).reason is reason
    assert only(decision).breakeven_uusd_per_mwh == 100_000_000
    assert decision.inputs["last_price_usd_per_mwh"] == price


def test_the_pool_fee_lowers_the_breakeven() -> None:
    situation = replace(
        site(miner("a"), price=ended("99")), earnings=replace(EARNINGS, pool_fee=Decimal("0.02"))
    )
    assignment = only(decide(situation, NOW_MS))
    assert assignment.breakeven_uusd_per_mwh == 98_000_000
    assert assignment.setpoint == Stop()


def test_the_least_efficient_miner_stops_first_when_the_ramp_lets_only_one_stop() -> None:
    decision = decided(
        site(
            miner("good"),
            miner("poor", profile=POOR),
            price=ended("500"),
            limits=Limits(ramp_down_w=3_000),
        )
    )
    good, poor = decision.assignments
    assert (poor.setpoint, poor.reason) == (Stop(), Reason.UNPROFITABLE)
    assert (good.setpoint, good.reason) == (Run(), Reason.RAMP_DOWN)
    assert (decision.power_before_w, decision.power_after_w) == (6_000, 3_000)


def test_the_most_efficient_miner_starts_first_when_the_ramp_lets_only_one_start() -> None:
    decision = decided(
        site(
            miner("poor", Stop(), POOR),
            miner("good", Stop()),
            price=ended("1"),
            limits=Limits(ramp_up_w=3_000),
        )
    )
    poor, good = decision.assignments
    assert (good.setpoint, good.reason) == (Run(), Reason.PROFITABLE)
    assert (poor.setpoint, poor.reason) == (Stop(), Reason.RAMP_UP)


def test_a_miner_is_lowered_to_the_point_whose_last_watts_still_pay() -> None:
    profile = Profile(
        (
            RunPoint(Preset("low"), 2_000, 120_000),  # bears 120 USD/MWh
            RunPoint(Preset("high"), 3_000, 150_000),  # its last 1,000 W bear 60
            RunPoint(Preset("silly"), 2_500, 121_000),  # no price chooses it
        )
    )
    at = {
        price: only(decided(site(miner("a", Preset("high"), profile), price=ended(price))))
        for price in ("59", "61", "121")
    }
    assert at["59"].setpoint == Preset("high")
    assert (at["61"].setpoint, at["61"].reason) == (Preset("low"), Reason.LOWERED)
    assert at["121"].setpoint == Stop()


def test_a_short_dip_does_not_stop_a_miner_whose_restart_costs_more() -> None:
    # 150 USD/MWh for a quarter of an hour loses 0.0375 USD.
    ahead = forecast(150, *[50.0] * 7)
    dear = decided(
        site(
            miner("a"),
            price=ended("50"),
            ahead=ahead,
            limits=Limits(restart_cost_usd=Decimal("0.04")),
        )
    )
    cheap = decided(
        site(
            miner("a"),
            price=ended("50"),
            ahead=ahead,
            limits=Limits(restart_cost_usd=Decimal("0.03")),
        )
    )
    assert dear.basis is Basis.FORECAST
    assert (only(dear).setpoint, only(dear).reason) == (Run(), Reason.KEPT_THROUGH_DIP)
    assert only(cheap).setpoint == Stop()


def test_a_long_minimum_time_off_keeps_a_miner_through_a_dip() -> None:
    # Stopping saves 0.0375 USD now and forgoes 0.0375 in each quarter it may not come back in.
    ahead = forecast(150, *[50.0] * 7)
    for min_off_ms, setpoint in ((QUARTER_MS, Stop()), (3 * QUARTER_MS, Run())):
        decision = decided(
            site(miner("a"), price=ended("50"), ahead=ahead, limits=Limits(min_off_ms=min_off_ms))
        )
        assert only(decision).setpoint == setpoint


def test_a_forecast_spike_stops_a_miner_before_the_last_price_shows_it() -> None:
    decision = decided(
        site(miner("a"), price=ended("50"), ahead=forecast(3000, 4000, 2000, *[50.0] * 5))
    )
    assert only(decision).setpoint == Stop()
    assert decision.price_uusd_per_mwh == 3_000_000_000


def test_a_coming_spike_keeps_a_stopped_miner_off_when_it_would_have_to_run_through_it() -> None:
    ahead = forecast(90, 3000, *[90.0] * 6)
    for min_on_ms, setpoint in ((0, Run()), (2 * QUARTER_MS, Stop())):
        decision = decided(
            site(
                miner("a", Stop()),
                price=ended("50"),
                ahead=ahead,
                limits=Limits(min_on_ms=min_on_ms),
            )
        )
        assert only(decision).setpoint == setpoint


def test_a_start_that_does_not_pay_for_itself_waits() -> None:
    # At 90 USD/MWh it earns 0.03 USD an hour: 0.1275 in this quarter and the four hours after it.
    for cost, setpoint, reason in (
        ("0.12", Run(), Reason.PROFITABLE),
        ("0.13", Stop(), Reason.START_NOT_WORTH),
    ):
        limits = Limits(restart_cost_usd=Decimal(cost), payback_ms=4 * HOUR_MS)
        decision = decided(site(miner("a", Stop()), price=ended("90"), limits=limits))
        assert (only(decision).setpoint, only(decision).reason) == (setpoint, reason)


def test_the_published_price_of_the_running_interval_outranks_the_forecast() -> None:
    running = Price(NOW_MS, NOW_MS + QUARTER_MS, Decimal(500))
    decision = decided(site(miner("a"), price=running, ahead=forecast(*[20.0] * 8)))
    assert decision.basis is Basis.KNOWN_AND_FORECAST
    assert only(decision).setpoint == Stop()


def test_a_forecast_that_has_run_out_is_not_used() -> None:
    old = Forecast(
        NOW_MS - HOUR_MS, (HorizonForecast(NOW_MS - HOUR_MS, NOW_MS - QUARTER_MS, {0.5: 5000.0}),)
    )
    decision = decided(site(miner("a"), price=ended("50"), ahead=old))
    assert decision.basis is Basis.LAST_PRICE
    assert only(decision).setpoint == Run()


def test_the_expected_price_weighs_the_tail() -> None:
    horizon = HorizonForecast(0, 1, {0.1: 10.0, 0.5: 30.0, 0.9: 1000.0})
    # 0.1 * 10 + 0.4 * (10 + 30) / 2 + 0.4 * (30 + 1000) / 2 + 0.1 * 1000
    assert expected_price(horizon) == 315_000_000


@pytest.mark.parametrize(
    ("mode", "was", "becomes", "reason"),
    [
        (SafeMode.STOP, Run(), Stop(), Reason.SAFE_STOP),
        (SafeMode.RUN, Stop(), Run(), Reason.SAFE_RUN),
        (SafeMode.HOLD, Run(), Run(), Reason.SAFE_HOLD),
        (SafeMode.HOLD, Stop(), Stop(), Reason.SAFE_HOLD),
    ],
)
@pytest.mark.parametrize("price", [None, Price(0, QUARTER_MS, Decimal(10))])
def test_without_a_fresh_price_the_safe_mode_rules(
    mode: SafeMode, was: Setpoint, becomes: Setpoint, reason: Reason, price: Price | None
) -> None:
    decision = decided(site(miner("a", was), price=price, limits=Limits(safe_mode=mode)))
    assert decision.basis is (Basis.SAFE_MODE_NO_PRICE if price is None else Basis.SAFE_MODE_STALE)
    assert decision.price_uusd_per_mwh is None
    assert (only(decision).setpoint, only(decision).reason) == (becomes, reason)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (replace(miner("a"), held_until_ms=NOW_MS + 1), Reason.HELD),
        (replace(miner("a"), must_run=True), Reason.MUST_RUN),
        (replace(miner("a"), since_ms=NOW_MS - 1), Reason.MIN_ON),
        (replace(miner("a"), reachable=False), Reason.UNREACHABLE),
        (replace(miner("a"), retry_ms=NOW_MS + 1), Reason.NOT_FOLLOWING),
        (replace(miner("a"), controllable=False), Reason.NOT_CONTROLLABLE),
        (MinerState("a", GOOD, None), Reason.STATE_UNKNOWN),
        (miner("a", profile=Profile(())), Reason.EFFICIENCY_UNKNOWN),
    ],
)
def test_what_is_protected_or_unknown_is_left_as_it_is_with_its_reason(
    state: MinerState, reason: Reason
) -> None:
    limits = Limits(min_on_ms=QUARTER_MS)
    assignment = only(decided(site(state, price=ended("5000"), limits=limits)))
    assert not assignment.changes
    assert assignment.reason is reason


def test_a_held_stop_stays_a_stop_at_any_price_and_ends_with_the_hold() -> None:
    held = replace(miner("a", Stop()), held_until_ms=NOW_MS + 1)
    assert only(decided(site(held, price=ended("1")))).reason is Reason.HELD
    over = replace(held, held_until_ms=NOW_MS)
    assert only(decided(site(over, price=ended("1")))).setpoint == Run()


def test_the_cap_sheds_the_least_efficient_first_even_where_a_hold_protects() -> None:
    decision = decided(
        site(
            replace(miner("held"), held_until_ms=NOW_MS + 1),
            miner("good"),
            miner("poor", profile=POOR),
            price=ended("1"),
            limits=Limits(site_cap_w=3_500),
        )
    )
    held, good, poor = decision.assignments
    assert poor.reason is good.reason is Reason.SITE_CAP
    assert not held.changes
    assert decision.power_after_w == 3_000


def test_a_locked_out_miner_stays_off_however_cheap_power_is() -> None:
    locked = replace(miner("a", Stop()), locked_out=True, must_run=True)
    assignment = only(decided(site(locked, price=ended("-100"))))
    assert (assignment.setpoint, assignment.changes) == (Stop(), False)
    assert assignment.reason is Reason.LOCKED_OUT


def test_the_must_run_power_is_kept_by_the_most_efficient() -> None:
    decision = decided(
        site(
            miner("poor", profile=POOR),
            miner("good"),
            price=ended("5000"),
            limits=Limits(must_run_w=3_000),
        )
    )
    poor, good = decision.assignments
    assert poor.setpoint == Stop()
    assert (good.setpoint, good.reason) == (Run(), Reason.MUST_RUN)


def test_impossible_inputs_are_refused_with_their_field() -> None:
    for make, field in (
        (lambda: Limits(must_run_w=2, site_cap_w=1), "must_run_w"),
        (lambda: Limits(min_on_ms=-1), "min_on_ms"),
        (lambda: Limits(restart_cost_usd=Decimal(-1)), "restart_cost_usd"),
        (lambda: Earnings(Decimal("0.05"), Decimal(1)), "pool_fee"),
        (lambda: RunPoint(PowerLimit(1), 0, 1), "points"),
        (lambda: Price(2, 1, Decimal(1)), "price.end_ms"),
        (lambda: decided(site(miner("a"), price=ended("NaN"))), "price"),
    ):
        with pytest.raises(BadInputError) as refused:
            make()
        assert refused.value.field == field


def test_a_thousand_miners_are_decided_within_a_small_part_of_an_interval() -> None:
    """tests.bench.agent measures the figure; this only keeps its order of magnitude."""
    rng = random.Random(7)
    kinds = [
        Profile(tuple(RunPoint(PowerLimit(w), w, w * 1000 // j) for w in (2_000, 2_800, 3_500)))
        for j in (17, 19, 22, 25, 30, 38)
    ]
    setpoints: list[Setpoint] = [Stop(), PowerLimit(3_500)]
    miners = [
        MinerState(f"m{i}", kinds[i % 6], rng.choice(setpoints), rng.randrange(9))
        for i in range(1000)
    ]
    situation = site(*miners, price=ended("80"), ahead=forecast(*[rng.random() * 200] * 8))
    taken_s = []
    for _ in range(5):
        begun_s = time.perf_counter()
        decided(situation)
        taken_s.append(time.perf_counter() - begun_s)
    assert quantiles(taken_s)[1] < 0.5
