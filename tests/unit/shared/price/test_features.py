from datetime import datetime

import pytest

from shared.price.features import (
    FEATURE_NAMES,
    FEATURES,
    HORIZONS,
    LAGS,
    bases,
    feature_rows,
    float32,
    recent,
)
from shared.price.forecast import NoForecastReason
from shared.price.market import (
    HOUR_MS,
    INTERVAL_MS,
    KnownMarket,
    MarketHistory,
    MissingInputError,
)
from shared.price.scale import compress, expand
from shared.price.wall_time import central_time, quarter_of_day
from shared.time import iso_utc, to_ms
from tests.unit.shared.price.market_sample import FIRST_DAY, changed, day_start_ms, sample_market

HISTORY = sample_market(days=3)
NOW_MS = day_start_ms(FIRST_DAY) + 36 * HOUR_MS
NEWEST_MS = NOW_MS - INTERVAL_MS


def rows(history: MarketHistory, as_of_ms: int = NOW_MS) -> tuple[tuple[float, ...], ...]:
    return feature_rows(recent(KnownMarket(history, as_of_ms)))


def column(history: MarketHistory, name: str) -> list[float]:
    return [row[FEATURE_NAMES.index(name)] for row in rows(history)]


def test_names_are_unique_and_every_row_has_one_value_a_name() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    assert [len(row) for row in rows(HISTORY)] == [len(FEATURES)] * HORIZONS


def test_values_are_exact_in_single_precision() -> None:
    assert all(float32(row) == row for row in rows(HISTORY))
    assert float32((0.1,)) != (0.1,)


def test_the_same_market_gives_the_same_rows_and_another_market_others() -> None:
    assert rows(HISTORY) == rows(sample_market(days=3))
    assert rows(HISTORY) != rows(sample_market(days=3, seed=2))


@pytest.mark.parametrize(
    ("field", "start_ms", "name"),
    [
        ("real_time_usd_per_mwh", NEWEST_MS, "price_lag_0"),
        ("real_time_usd_per_mwh", NEWEST_MS - 7 * INTERVAL_MS, "price_lag_7"),
        ("real_time_usd_per_mwh", NOW_MS - LAGS * INTERVAL_MS, "price_mean_4h"),
        ("day_ahead_usd_per_mwh", NEWEST_MS, "spread_lag_0"),
        ("day_ahead_usd_per_mwh", NOW_MS, "day_ahead"),
        ("day_ahead_usd_per_mwh", NOW_MS + 3 * HOUR_MS, "day_ahead_max_4h"),
        ("demand_forecast_mw", NOW_MS, "demand_forecast_gw"),
        ("temperature_c", NOW_MS - HOUR_MS, "temperature_c"),
    ],
)
def test_each_input_reaches_the_feature_named_after_it(
    field: str, start_ms: int, name: str
) -> None:
    other = changed(HISTORY, start_ms, **{field: 63.0})
    assert column(other, name) != column(HISTORY, name)


@pytest.mark.parametrize(
    ("field", "start_ms", "reason"),
    [
        ("real_time_usd_per_mwh", NOW_MS - 4 * HOUR_MS, NoForecastReason.MISSING_PRICE),
        ("day_ahead_usd_per_mwh", NOW_MS + HOUR_MS, NoForecastReason.MISSING_DAY_AHEAD),
        ("demand_forecast_mw", NOW_MS + HOUR_MS, NoForecastReason.MISSING_DEMAND),
    ],
)
def test_an_input_that_is_not_known_is_named_and_never_filled_in(
    field: str, start_ms: int, reason: NoForecastReason
) -> None:
    with pytest.raises(MissingInputError, match=iso_utc(start_ms)) as caught:
        rows(changed(HISTORY, start_ms, **{field: None}))
    assert caught.value.reason is reason


def test_the_base_leans_on_the_last_price_first_and_on_the_day_ahead_price_later() -> None:
    spiked = changed(HISTORY, NEWEST_MS, real_time_usd_per_mwh=900.0)
    found = bases(recent(KnownMarket(spiked, NOW_MS)))
    assert list(found) == sorted(found, reverse=True)
    assert found[0] < compress(900.0)
    day_ahead = HISTORY.intervals[NOW_MS + 7 * INTERVAL_MS].day_ahead_usd_per_mwh
    assert day_ahead is not None
    assert expand(found[-1]) == pytest.approx(day_ahead, rel=0.4)


@pytest.mark.parametrize(
    ("utc", "wall"),
    [
        ("2024-03-10T07:59:00+00:00", "2024-03-10T01:59:00"),
        ("2024-03-10T08:00:00+00:00", "2024-03-10T03:00:00"),
        ("2024-11-03T06:59:00+00:00", "2024-11-03T01:59:00"),
        ("2024-11-03T07:00:00+00:00", "2024-11-03T01:00:00"),
        ("2025-03-09T08:00:00+00:00", "2025-03-09T03:00:00"),
        ("2025-11-02T07:00:00+00:00", "2025-11-02T01:00:00"),
        ("2026-01-01T05:45:00+00:00", "2025-12-31T23:45:00"),
    ],
)
def test_central_time_changes_on_the_days_that_the_law_names(utc: str, wall: str) -> None:
    moment_ms = to_ms(datetime.fromisoformat(utc))
    assert central_time(moment_ms).isoformat() == wall


def test_a_day_has_96_quarters() -> None:
    first_ms = day_start_ms(FIRST_DAY)
    found = [quarter_of_day(central_time(first_ms + n * INTERVAL_MS)) for n in range(96)]
    assert sorted(found) == list(range(96))
