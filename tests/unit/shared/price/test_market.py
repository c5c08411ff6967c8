import math

import pytest

from shared.errors import BadInputError
from shared.price.forecast import NoForecastReason
from shared.price.market import (
    HOUR_MS,
    INTERVAL_MS,
    KnownMarket,
    MarketHistory,
    MarketInterval,
    MissingInputError,
)
from tests.unit.shared.price.market_sample import FIRST_DAY, changed, day_start_ms, sample_market

START_MS = day_start_ms(FIRST_DAY)
NOON_MS = START_MS + 12 * HOUR_MS
HISTORY = sample_market(days=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("real_time_usd_per_mwh", math.nan),
        ("real_time_usd_per_mwh", 1e9),
        ("day_ahead_usd_per_mwh", math.inf),
        ("demand_forecast_mw", -1.0),
        ("temperature_c", 451.0),
    ],
)
def test_a_value_outside_of_any_market_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(BadInputError, match=field):
        changed(HISTORY, START_MS, **{field: value})


def test_an_interval_off_the_quarter_hour_is_refused() -> None:
    with pytest.raises(BadInputError, match="start_ms"):
        MarketInterval(START_MS + 1)


def test_two_rows_of_one_interval_are_refused() -> None:
    with pytest.raises(BadInputError, match="twice"):
        MarketHistory.of([MarketInterval(START_MS), MarketInterval(START_MS)])


def test_the_price_of_an_interval_is_known_when_it_has_ended() -> None:
    ended = KnownMarket(HISTORY, NOON_MS).real_time(NOON_MS - INTERVAL_MS)
    assert ended == HISTORY.intervals[NOON_MS - INTERVAL_MS].real_time_usd_per_mwh
    with pytest.raises(MissingInputError) as caught:
        KnownMarket(HISTORY, NOON_MS).real_time(NOON_MS)
    assert caught.value.reason is NoForecastReason.MISSING_PRICE


def test_what_is_published_a_day_ahead_is_known_for_the_coming_hours_only() -> None:
    known = KnownMarket(HISTORY, START_MS)
    assert known.day_ahead(START_MS + 10 * HOUR_MS) > 0
    assert known.demand_forecast(START_MS + 10 * HOUR_MS) > 0
    with pytest.raises(MissingInputError) as price:
        known.day_ahead(START_MS + 11 * HOUR_MS)
    with pytest.raises(MissingInputError) as demand:
        known.demand_forecast(START_MS + 11 * HOUR_MS)
    assert price.value.reason is NoForecastReason.MISSING_DAY_AHEAD
    assert demand.value.reason is NoForecastReason.MISSING_DEMAND


def test_the_temperature_is_that_of_the_last_finished_hour() -> None:
    expected = HISTORY.intervals[NOON_MS - HOUR_MS].temperature_c
    assert KnownMarket(HISTORY, NOON_MS).temperature() == expected
    assert KnownMarket(HISTORY, NOON_MS + 3 * INTERVAL_MS).temperature() == expected


def test_a_missing_temperature_is_replaced_by_the_hour_before_but_not_for_long() -> None:
    history = changed(HISTORY, NOON_MS - HOUR_MS, temperature_c=None)
    before = HISTORY.intervals[NOON_MS - 2 * HOUR_MS].temperature_c
    assert KnownMarket(history, NOON_MS).temperature() == before
    for hours in range(2, 7):
        history = changed(history, NOON_MS - hours * HOUR_MS, temperature_c=None)
    with pytest.raises(MissingInputError) as caught:
        KnownMarket(history, NOON_MS).temperature()
    assert caught.value.reason is NoForecastReason.MISSING_TEMPERATURE


def test_the_newest_known_price_is_found_unless_it_is_too_old() -> None:
    history = HISTORY.before(NOON_MS)
    assert history.known_until_ms(NOON_MS + 1000, 30 * 60_000) == NOON_MS
    assert history.known_until_ms(NOON_MS + 30 * 60_000, 30 * 60_000) == NOON_MS
    assert history.known_until_ms(NOON_MS + 30 * 60_000 + 1, 30 * 60_000) is None


def test_a_price_of_an_interval_that_still_runs_is_not_taken_for_known() -> None:
    assert HISTORY.known_until_ms(NOON_MS + 5 * 60_000, 30 * 60_000) == NOON_MS
