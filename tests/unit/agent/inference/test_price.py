from dataclasses import replace
from pathlib import Path

import pytest

from agent.inference.errors import ModelShapeError
from agent.inference.loader import shipped_folder
from agent.inference.price import PriceForecaster, load_price_forecaster
from shared.price.features import FEATURE_NAMES
from shared.price.forecast import Forecast, NoForecast, NoForecastReason
from shared.price.market import HOUR_MS, INTERVAL_MS, MarketHistory
from shared.time import iso_utc
from tests.unit.agent.inference.model_folder import (
    MANIFEST,
    failing_model,
    linear_model,
    write_model,
)
from tests.unit.shared.price.market_sample import FIRST_DAY, changed, day_start_ms, sample_market

MARKET = sample_market(days=3)
AS_OF_MS = day_start_ms(FIRST_DAY) + 36 * HOUR_MS
NOW_MS = AS_OF_MS + 90_000


@pytest.fixture(scope="module")
def forecaster() -> PriceForecaster:
    return load_price_forecaster(shipped_folder("price"))


def given(answer: Forecast | NoForecast) -> Forecast:
    assert isinstance(answer, Forecast), answer
    return answer


def test_a_forecast_covers_the_next_two_hours_from_the_last_known_price(
    forecaster: PriceForecaster,
) -> None:
    forecast = given(forecaster.forecast(MARKET, NOW_MS))
    assert forecast.issued_at_ms == NOW_MS
    assert [h.start_ms for h in forecast.horizons] == [AS_OF_MS + n * INTERVAL_MS for n in range(8)]
    assert list(forecast.horizons[0].quantiles) == [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]


def test_the_same_market_gives_the_same_forecast(forecaster: PriceForecaster) -> None:
    assert forecaster.forecast(MARKET, NOW_MS) == forecaster.forecast(sample_market(3), NOW_MS)


@pytest.mark.parametrize(
    ("field", "start_ms", "value"),
    [
        ("real_time_usd_per_mwh", AS_OF_MS - INTERVAL_MS, 900.0),
        ("day_ahead_usd_per_mwh", AS_OF_MS + INTERVAL_MS, 300.0),
        ("demand_forecast_mw", AS_OF_MS + INTERVAL_MS, 82_000.0),
        ("temperature_c", AS_OF_MS - HOUR_MS, -8.0),
    ],
)
def test_every_kind_of_input_moves_the_forecast(
    forecaster: PriceForecaster, field: str, start_ms: int, value: float
) -> None:
    other = changed(MARKET, start_ms, **{field: value})
    assert given(forecaster.forecast(other, NOW_MS)) != forecaster.forecast(MARKET, NOW_MS)


def test_a_dear_last_quarter_raises_what_is_expected_next(forecaster: PriceForecaster) -> None:
    dear = changed(MARKET, AS_OF_MS - INTERVAL_MS, real_time_usd_per_mwh=900.0)
    before = given(forecaster.forecast(MARKET, NOW_MS)).horizons[0]
    after = given(forecaster.forecast(dear, NOW_MS)).horizons[0]
    assert after.price_usd_per_mwh(0.5) > before.price_usd_per_mwh(0.5)


def test_the_calendar_moves_the_forecast(forecaster: PriceForecaster) -> None:
    flat = MarketHistory(
        {
            start_ms: replace(
                interval,
                real_time_usd_per_mwh=30.0,
                day_ahead_usd_per_mwh=30.0,
                demand_forecast_mw=50_000.0,
                temperature_c=20.0,
            )
            for start_ms, interval in MARKET.intervals.items()
        }
    )
    morning = given(forecaster.forecast(flat, NOW_MS))
    evening = given(forecaster.forecast(flat, NOW_MS + 9 * HOUR_MS))
    assert morning.horizons[0].quantiles != evening.horizons[0].quantiles


def test_what_comes_after_the_moment_does_not_change_its_forecast(
    forecaster: PriceForecaster,
) -> None:
    later = changed(MARKET, AS_OF_MS, real_time_usd_per_mwh=4_964.84)
    assert forecaster.forecast(later, NOW_MS) == forecaster.forecast(MARKET, NOW_MS)


@pytest.mark.parametrize(
    ("field", "start_ms", "reason"),
    [
        (
            "real_time_usd_per_mwh",
            AS_OF_MS - 3 * INTERVAL_MS,
            NoForecastReason.MISSING_PRICE,
        ),
        ("day_ahead_usd_per_mwh", AS_OF_MS, NoForecastReason.MISSING_DAY_AHEAD),
        ("demand_forecast_mw", AS_OF_MS, NoForecastReason.MISSING_DEMAND),
    ],
)
def test_a_missing_input_gives_no_forecast_and_says_which(
    forecaster: PriceForecaster, field: str, start_ms: int, reason: NoForecastReason
) -> None:
    answer = forecaster.forecast(changed(MARKET, start_ms, **{field: None}), NOW_MS)
    assert answer == NoForecast(reason, f"interval of {iso_utc(start_ms)}")


def test_without_any_temperature_there_is_no_forecast(forecaster: PriceForecaster) -> None:
    bare = MarketHistory(
        {start: replace(i, temperature_c=None) for start, i in MARKET.intervals.items()}
    )
    answer = forecaster.forecast(bare, NOW_MS)
    assert isinstance(answer, NoForecast)
    assert answer.reason is NoForecastReason.MISSING_TEMPERATURE


def test_a_stale_price_gives_no_forecast(forecaster: PriceForecaster) -> None:
    old = MARKET.before(AS_OF_MS - 2 * INTERVAL_MS)
    answer = forecaster.forecast(old, NOW_MS)
    assert answer == NoForecast(NoForecastReason.STALE_PRICE, "none in the last 30 minutes")
    assert isinstance(forecaster.forecast(MarketHistory({}), NOW_MS), NoForecast)


def test_without_a_model_there_is_no_forecast_and_that_is_said() -> None:
    answer = PriceForecaster(None).forecast(MARKET, NOW_MS)
    assert answer == NoForecast(NoForecastReason.NO_MODEL)


def test_answers_that_are_no_numbers_are_no_forecast(tmp_path: Path) -> None:
    wild = load_price_forecaster(write_model(tmp_path, linear_model(factor=1e38)))
    answer = wild.forecast(MARKET, NOW_MS)
    assert isinstance(answer, NoForecast)
    assert answer.reason is NoForecastReason.MODEL_FAILED


def test_a_model_that_fails_while_it_runs_is_no_forecast(tmp_path: Path) -> None:
    failing = load_price_forecaster(write_model(tmp_path, failing_model()))
    answer = failing.forecast(MARKET, NOW_MS)
    assert isinstance(answer, NoForecast)
    assert answer.reason is NoForecastReason.MODEL_FAILED
    assert "eshape" in answer.detail


def test_a_model_for_other_features_is_refused(tmp_path: Path) -> None:
    swapped = (FEATURE_NAMES[1], FEATURE_NAMES[0], *FEATURE_NAMES[2:])
    write_model(tmp_path, linear_model(), replace(MANIFEST, features=swapped))
    with pytest.raises(ModelShapeError, match="other features"):
        load_price_forecaster(tmp_path)


def test_a_model_for_other_horizons_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, linear_model(), replace(MANIFEST, horizons_min=(30, 60)))
    with pytest.raises(ModelShapeError, match="horizons"):
        load_price_forecaster(tmp_path)
