"""What no decision ever does, whatever the site, the price and the limits."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from agent.site.curtailment import decide
from agent.site.situation import (
    Decision,
    Earnings,
    Limits,
    MinerState,
    Price,
    Profile,
    RunPoint,
    SafeMode,
    Situation,
)
from shared.price.forecast import Forecast, HorizonForecast, NoForecast, NoForecastReason
from shared.setpoints import PowerLimit, Run, Setpoint, Stop

QUARTER_MS = 900_000
NOW_MS = 1_000 * QUARTER_MS + 1
NO_MODEL = NoForecast(NoForecastReason.NO_MODEL)

money = st.decimals(Decimal(-100), Decimal(5000), places=2)
points = st.builds(
    lambda power_w, j_per_th: RunPoint(PowerLimit(power_w), power_w, power_w * 1000 // j_per_th),
    st.integers(800, 4000),
    st.integers(15, 60),
)
profiles = st.builds(
    lambda ps, idle_w: Profile(tuple({p.power_w: p for p in ps}.values()), idle_w),
    st.lists(points, min_size=0, max_size=4),
    st.sampled_from([0, 45]),
)


@st.composite
def miners(draw: st.DrawFn, profile: Profile, name: str) -> MinerState:
    settable: list[Setpoint | None] = [Stop(), None, Run(), *(p.setpoint for p in profile.points)]
    return MinerState(
        name=name,
        profile=profile,
        current=draw(st.sampled_from(settable)),
        since_ms=draw(st.none() | st.integers(0, NOW_MS)),
        locked_out=draw(st.booleans()) and draw(st.booleans()),
        held_until_ms=draw(st.none() | st.integers(NOW_MS - 2 * QUARTER_MS, NOW_MS + QUARTER_MS)),
        retry_ms=draw(st.sampled_from([None, None, NOW_MS, NOW_MS + 1])),
        reachable=draw(st.integers(0, 4)) > 0,
        must_run=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def situations(draw: st.DrawFn, *, price_covers_now: bool = False) -> Situation:
    kinds = draw(st.lists(profiles, min_size=1, max_size=3))
    count = draw(st.integers(0, 8))
    site = tuple(
        draw(miners(draw(st.sampled_from(kinds)), f"miner-{index}")) for index in range(count)
    )
    cap_w = draw(st.none() | st.integers(0, 30_000))
    must_run_w = draw(st.integers(0, 8_000))
    watts = st.none() | st.integers(0, 20_000)
    limits = Limits(
        min_on_ms=draw(st.integers(0, 4)) * QUARTER_MS,
        min_off_ms=draw(st.integers(0, 4)) * QUARTER_MS,
        ramp_up_w=draw(watts),
        ramp_down_w=draw(watts),
        must_run_w=must_run_w if cap_w is None else min(must_run_w, cap_w),
        site_cap_w=cap_w,
        restart_cost_usd=draw(st.decimals(Decimal(0), Decimal(1), places=2)),
        safe_mode=draw(st.sampled_from(SafeMode)),
    )
    start_ms = NOW_MS - 1 - (0 if price_covers_now else QUARTER_MS)
    return Situation(
        miners=site,
        price=Price(start_ms, start_ms + QUARTER_MS, draw(money)),
        forecast=draw(forecasts(start_ms + QUARTER_MS) | st.just(NO_MODEL)),
        earnings=Earnings(draw(st.decimals(Decimal("0.01"), Decimal("0.2"), places=3))),
        limits=limits,
    )


@st.composite
def forecasts(draw: st.DrawFn, start_ms: int) -> Forecast:
    horizons = []
    for index in range(draw(st.integers(1, 8))):
        prices = sorted(draw(st.lists(st.integers(-50, 3000), min_size=3, max_size=3)))
        begins_ms = start_ms + index * QUARTER_MS
        quantiles = dict(zip((0.1, 0.5, 0.9), map(float, prices), strict=True))
        horizons.append(HorizonForecast(begins_ms, begins_ms + QUARTER_MS, quantiles))
    return Forecast(start_ms, tuple(horizons))


def without_price(situation: Situation) -> Situation:
    """The same site with nothing but what is forced: what any price may only add to."""
    hold = replace(situation.limits, safe_mode=SafeMode.HOLD)
    return replace(situation, price=None, limits=hold)


def setpoints(decision: Decision) -> dict[str, Setpoint | None]:
    return {a.miner: a.setpoint for a in decision.assignments}


def highest_w(miner: MinerState) -> int:
    return max([miner.profile.idle_power_w, *(p.power_w for p in miner.profile.points)])


def drawn_w(miner: MinerState, setpoint: Setpoint | None) -> int:
    for point in miner.profile.points:
        if point.setpoint == setpoint:
            return point.power_w
    return miner.profile.idle_power_w if setpoint == Stop() else highest_w(miner)


def immovable(miner: MinerState) -> bool:
    return (
        not miner.reachable
        or miner.locked_out
        or miner.current is None
        or miner.retry_ms == NOW_MS + 1
        or not miner.profile.points
    )


@given(situations())
def test_power_is_above_the_cap_only_by_what_cannot_be_stopped(situation: Situation) -> None:
    cap_w = situation.limits.site_cap_w
    decision = decide(situation, NOW_MS)
    after = setpoints(decision)
    planned_w = sum(drawn_w(m, after[m.name]) for m in situation.miners)
    assert planned_w == decision.power_after_w
    if cap_w is not None and planned_w > cap_w:
        assert all(after[m.name] == Stop() for m in situation.miners if not immovable(m))
        assert decision.power_after_w <= decision.power_before_w


@given(situations())
def test_no_price_takes_the_site_below_its_must_run_power(situation: Situation) -> None:
    after = setpoints(decide(situation, NOW_MS))
    forced = setpoints(decide(without_price(situation), NOW_MS))
    movable = [m for m in situation.miners if not immovable(m)]
    running_w = sum(drawn_w(m, after[m.name]) for m in movable)
    forced_w = sum(drawn_w(m, forced[m.name]) for m in movable)
    assert running_w >= min(situation.limits.must_run_w, forced_w)


@given(situations())
def test_a_site_below_its_must_run_power_starts_what_it_may(situation: Situation) -> None:
    situation = replace(situation, limits=replace(situation.limits, site_cap_w=None))
    after = setpoints(decide(situation, NOW_MS))
    movable = [m for m in situation.miners if not immovable(m)]
    if sum(drawn_w(m, after[m.name]) for m in movable) >= situation.limits.must_run_w:
        return
    for miner in movable:
        held = miner.held_until_ms is not None and miner.held_until_ms > NOW_MS
        lasted_ms = None if miner.since_ms is None else NOW_MS - miner.since_ms
        too_soon = lasted_ms is not None and lasted_ms < situation.limits.min_off_ms
        assert held or too_soon or after[miner.name] != Stop()


@given(situations())
def test_a_locked_out_miner_is_never_energised(situation: Situation) -> None:
    for miner, assignment in zip(
        situation.miners, decide(situation, NOW_MS).assignments, strict=True
    ):
        if miner.locked_out and miner.reachable:
            assert assignment.setpoint == Stop()
        if miner.locked_out:
            assert not assignment.changes or assignment.setpoint == Stop()


@given(situations())
def test_minimum_times_and_holds_bind_unless_the_cap_is_broken(situation: Situation) -> None:
    decision = decide(situation, NOW_MS)
    cap_w = situation.limits.site_cap_w
    over_cap = cap_w is not None and decision.power_before_w > cap_w
    for miner, assignment in zip(situation.miners, decision.assignments, strict=True):
        if immovable(miner) or over_cap:
            continue
        held = miner.held_until_ms is not None and miner.held_until_ms > NOW_MS
        lasted_ms = None if miner.since_ms is None else NOW_MS - miner.since_ms
        if held and not miner.must_run:
            assert not assignment.changes
        if miner.current == Stop() and lasted_ms is not None:
            too_soon = lasted_ms < situation.limits.min_off_ms
            assert not (too_soon and assignment.changes)
        if miner.current != Stop() and lasted_ms is not None:
            too_soon = lasted_ms < situation.limits.min_on_ms
            assert not (too_soon and assignment.setpoint == Stop())


@given(situations(), st.integers(0, 10**9))
def test_a_higher_price_never_runs_more(situation: Situation, more_cents: int) -> None:
    situation = replace(situation, forecast=NO_MODEL)
    assert_falls_with_price(situation, Decimal(more_cents % 500_000) / 100)


@given(situations(price_covers_now=True), st.integers(0, 500_000))
def test_a_higher_price_now_never_runs_more_under_one_forecast(
    situation: Situation, more_cents: int
) -> None:
    assert_falls_with_price(situation, Decimal(more_cents) / 100)


def assert_falls_with_price(situation: Situation, more: Decimal) -> None:
    assert situation.price is not None
    dearer = replace(
        situation,
        price=replace(situation.price, usd_per_mwh=situation.price.usd_per_mwh + more),
    )
    cheap, dear = decide(situation, NOW_MS), decide(dearer, NOW_MS)
    assert dear.power_after_w <= cheap.power_after_w


@given(situations())
def test_the_price_moves_no_more_than_the_ramps_allow(situation: Situation) -> None:
    after = setpoints(decide(situation, NOW_MS))
    forced = setpoints(decide(without_price(situation), NOW_MS))
    up_w = down_w = 0
    for miner in situation.miners:
        change_w = drawn_w(miner, after[miner.name]) - drawn_w(miner, forced[miner.name])
        up_w += max(0, change_w)
        down_w += max(0, -change_w)
    limits = situation.limits
    assert limits.ramp_up_w is None or up_w <= limits.ramp_up_w
    assert limits.ramp_down_w is None or down_w <= limits.ramp_down_w


@given(situations())
def test_a_decision_is_repeatable_and_marks_what_changes(situation: Situation) -> None:
    decision = decide(situation, NOW_MS)
    assert decide(situation, NOW_MS) == decision
    assert [a.miner for a in decision.assignments] == [m.name for m in situation.miners]
    for miner, assignment in zip(situation.miners, decision.assignments, strict=True):
        assert assignment.changes == (assignment.setpoint != miner.current)
