"""The price feed over HTTP: what is published when, and a feed that fails changes nothing."""

import json
from pathlib import Path

import pytest

from agent.site.market_feed import parse_feed
from firmware_bridges.simulators.market import MarketSimulator
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from tests.integration.agent.site.rig import QUARTER_MS, START_MS, Hardware, SetClock, site, until


@pytest.mark.parametrize("failure", [Misbehaviour.GARBAGE, Misbehaviour.CUT_OFF])
async def test_a_feed_that_fails_leaves_the_known_prices_and_says_what_is_wrong(
    tmp_path: Path, failure: Misbehaviour
) -> None:
    hardware = Hardware(1)
    hardware.price(-1, "61.25")
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        feed = rig.role.feed
        assert feed is not None
        await until(lambda: feed.problem is None)
        rig.market.script.order(failure)
        await until(lambda: feed.problem is not None)
        price = feed.market.last_price(START_MS)
        assert price is not None
        assert str(price.usd_per_mwh) == "61.25"
        rig.market.script.clear()
        await until(lambda: feed.problem is None)


def test_a_real_time_price_is_published_once_its_interval_has_ended() -> None:
    hardware = Hardware(1)
    clock = SetClock(START_MS)
    market = MarketSimulator(hardware.prices, clock.now_ms)
    newest = {}
    for now_ms in (START_MS + QUARTER_MS - 1, START_MS + QUARTER_MS):
        clock.time_ms = now_ms
        document = market.document()
        newest[now_ms] = document["real_time"][-1]["start"]
        assert document["day_ahead"][-1]["start"] > document["real_time"][-1]["start"]
    assert len(set(newest.values())) == 2


def test_the_simulator_serves_the_format_that_the_agent_reads() -> None:
    market = MarketSimulator(Hardware(1).prices, lambda: START_MS)
    feed = parse_feed(json.dumps(market.document()).encode())
    assert max(feed.real_time) == START_MS - QUARTER_MS
    assert feed.intervals[START_MS].day_ahead_usd_per_mwh == 30.0
    assert feed.intervals[START_MS].real_time_usd_per_mwh is None
