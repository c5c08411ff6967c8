"""What the rungs of a miner always are, whatever its points and the prices to come."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.site.economics import outlook, rungs
from agent.site.situation import Situation
from tests.property.agent.site.test_curtailment import NOW_MS, situations


@given(situations(), st.booleans())
def test_rungs_climb_in_power_and_bear_ever_lower_prices(
    situation: Situation,
    running: bool,
) -> None:
    assert situation.price is not None
    limits = situation.limits
    ahead = outlook(situation.price, situation.forecast, limits.payback_ms, NOW_MS)
    for miner in situation.miners:
        ladder = rungs(miner.profile, situation.earnings, limits, ahead, running=running)
        plain = rungs(miner.profile, situation.earnings, limits, None, running=running)
        totals = [rung.total_w for rung in ladder]
        assert totals == sorted(set(totals))
        thresholds = [rung.threshold for rung in ladder]
        assert thresholds == sorted(thresholds, reverse=True)
        assert [rung.breakeven for rung in plain] == [rung.threshold for rung in plain]
        if ladder:
            assert ladder[-1].total_w == plain[-1].total_w


@given(situations())
def test_a_restart_cost_keeps_the_running_running_and_the_stopped_stopped(
    situation: Situation,
) -> None:
    assert situation.price is not None
    limits = replace(situation.limits, min_on_ms=0, min_off_ms=0)
    ahead = outlook(situation.price, situation.forecast, limits.payback_ms, NOW_MS)
    for miner in situation.miners:
        running = rungs(miner.profile, situation.earnings, limits, ahead, running=True)
        stopped = rungs(miner.profile, situation.earnings, limits, ahead, running=False)
        if running:
            assert running[0].threshold >= running[0].breakeven
            assert stopped[0].threshold <= running[0].threshold
