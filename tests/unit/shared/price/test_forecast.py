import math

import pytest

from shared.errors import BadInputError
from shared.price.forecast import Forecast, HorizonForecast
from shared.price.prediction import prices, to_forecast
from shared.price.scale import expand

LEVELS = (0.1, 0.5, 0.9)


def horizon(start_ms: int, end_ms: int) -> HorizonForecast:
    return HorizonForecast(start_ms, end_ms, {0.1: 10.0, 0.5: 20.0, 0.9: 40.0})


def test_a_horizon_gives_the_price_of_each_level_it_has() -> None:
    assert horizon(0, 900).price_usd_per_mwh(0.9) == 40.0


def test_a_level_that_was_not_forecast_is_refused_with_those_that_were() -> None:
    with pytest.raises(BadInputError, match=r"level: 0\.3 \(allowed: one of \[0\.1, 0\.5, 0\.9\]"):
        horizon(0, 900).price_usd_per_mwh(0.3)


@pytest.mark.parametrize(
    "quantiles",
    [
        {},
        {0.5: 1.0, 0.1: 0.0},
        {0.0: 1.0},
        {0.5: 1.0, 1.0: 2.0},
        {0.1: 2.0, 0.5: 1.0},
        {0.5: math.nan},
        {0.1: 1.0, 0.5: math.inf},
    ],
)
def test_quantiles_that_cross_or_are_no_numbers_are_refused(quantiles: dict[float, float]) -> None:
    with pytest.raises(BadInputError, match="quantiles"):
        HorizonForecast(0, 900, quantiles)


def test_an_interval_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadInputError, match="end_ms"):
        horizon(900, 900)


def test_a_forecast_finds_the_horizon_of_a_moment() -> None:
    forecast = Forecast(0, (horizon(0, 900), horizon(900, 1800)))
    assert forecast.at(899) == horizon(0, 900)
    assert forecast.at(900) == horizon(900, 1800)
    assert forecast.at(1800) is None


@pytest.mark.parametrize("horizons", [(), (horizon(0, 900), horizon(1800, 2700))])
def test_a_forecast_with_no_or_parted_horizons_is_refused(
    horizons: tuple[HorizonForecast, ...],
) -> None:
    with pytest.raises(BadInputError, match="horizons"):
        Forecast(0, horizons)


def test_crossing_answers_of_the_model_are_put_in_order() -> None:
    assert prices(1.0, (0.2, -0.1, 0.0)) == (expand(0.9), expand(1.0), expand(1.2))


def test_a_forecast_is_made_of_a_base_and_a_row_of_offsets_a_horizon() -> None:
    forecast = to_forecast(7, 900_000, (1.0, 2.0), ((0.0, 0.1, 0.2), (0.3, 0.2, 0.1)), LEVELS)
    first, second = forecast.horizons
    assert forecast.issued_at_ms == 7
    assert (first.start_ms, second.end_ms) == (900_000, 2_700_000)
    assert second.quantiles == {0.1: expand(2.1), 0.5: expand(2.2), 0.9: expand(2.3)}


@pytest.mark.parametrize(
    "offsets", [((0.0, 0.1), (0.0, 0.1)), ((0.0, 0.1, 0.2),), ((math.nan,) * 3, (0.0,) * 3)]
)
def test_answers_of_another_shape_or_no_numbers_are_refused(
    offsets: tuple[tuple[float, ...], ...],
) -> None:
    with pytest.raises(BadInputError):
        to_forecast(0, 0, (1.0, 2.0), offsets, LEVELS)
