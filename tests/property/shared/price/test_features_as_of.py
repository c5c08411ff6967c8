from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.price.features import bases, feature_rows, recent
from shared.price.market import (
    HOUR_MS,
    INTERVAL_MS,
    PUBLISHED_AHEAD_MS,
    KnownMarket,
    MarketHistory,
)
from shared.price.scale import compress, expand
from tests.unit.shared.price.market_sample import FIRST_DAY, day_start_ms, sample_market

HISTORY = sample_market(days=3)
FIRST_MS = day_start_ms(FIRST_DAY)
PRICES = st.one_of(st.none(), st.floats(-250, 5000))
MOMENTS = st.integers(24 * 4, 48 * 4).map(lambda n: FIRST_MS + n * INTERVAL_MS)


def rewritten(history: MarketHistory, as_of_ms: int, price: float | None) -> MarketHistory:
    """Everything that is published after a moment, replaced."""
    hour_ms = as_of_ms - as_of_ms % HOUR_MS
    intervals = dict(history.intervals)
    for start_ms, interval in history.intervals.items():
        if start_ms >= as_of_ms:
            intervals[start_ms] = replace(interval, real_time_usd_per_mwh=price)
        if start_ms >= hour_ms:
            intervals[start_ms] = replace(intervals[start_ms], temperature_c=None)
        if start_ms > as_of_ms + PUBLISHED_AHEAD_MS:
            intervals[start_ms] = replace(
                intervals[start_ms], day_ahead_usd_per_mwh=price, demand_forecast_mw=None
            )
    return MarketHistory(intervals)


@given(as_of_ms=MOMENTS, price=PRICES)
def test_nothing_that_is_published_later_changes_a_feature(
    as_of_ms: int, price: float | None
) -> None:
    now = recent(KnownMarket(HISTORY, as_of_ms))
    later = recent(KnownMarket(rewritten(HISTORY, as_of_ms, price), as_of_ms))
    assert feature_rows(now) == feature_rows(later)
    assert bases(now) == bases(later)


@given(as_of_ms=MOMENTS, price=st.floats(100, 5000))
def test_the_last_finished_price_always_changes_them(as_of_ms: int, price: float) -> None:
    intervals = dict(HISTORY.intervals)
    newest_ms = as_of_ms - INTERVAL_MS
    intervals[newest_ms] = replace(intervals[newest_ms], real_time_usd_per_mwh=price)
    now = recent(KnownMarket(HISTORY, as_of_ms))
    other = recent(KnownMarket(MarketHistory(intervals), as_of_ms))
    assert all(a != b for a, b in zip(feature_rows(now), feature_rows(other), strict=True))


@given(st.floats(-10_000, 20_000), st.floats(-10_000, 20_000))
def test_the_price_scale_keeps_order_and_is_undone(one: float, two: float) -> None:
    assert abs(expand(compress(one)) - one) <= 1e-9 * max(1, abs(one))
    if one < two:
        assert compress(one) <= compress(two)
