from pathlib import Path

import numpy as np
import pytest

from models.price.evaluate import MINUTES, evaluate, main, table
from models.price.export import run_onnx
from models.price.metrics import (
    coverage,
    day_ahead,
    loss_by_horizon,
    model_prices,
    persistence,
    pinball,
    with_error_quantiles,
)
from models.price.recipe import LEVELS
from tests.unit.models.price.small_training import RECIPE, small_examples, small_model
from tests.unit.shared.price.market_sample import day_after


@pytest.mark.parametrize(
    ("actual", "forecast", "level", "loss"),
    [(10.0, 10.0, 0.3, 0.0), (12.0, 10.0, 0.9, 1.8), (8.0, 10.0, 0.9, 0.2), (8.0, 10.0, 0.5, 1.0)],
)
def test_pinball_charges_each_side_as_its_level_says(
    actual: float, forecast: float, level: float, loss: float
) -> None:
    assert pinball(np.array([actual]), np.array([forecast]), level)[0] == pytest.approx(loss)


def test_the_quantile_of_a_sample_has_the_least_pinball_loss() -> None:
    sample = np.random.default_rng(1).exponential(size=5_000)
    candidates = np.linspace(0, 5, 101)
    losses = [pinball(sample, np.full_like(sample, c), 0.9).mean() for c in candidates]
    assert candidates[int(np.argmin(losses))] == pytest.approx(np.quantile(sample, 0.9), abs=0.1)


def test_naive_forecasts_are_what_their_names_say() -> None:
    rows = small_examples()
    assert np.array_equal(persistence(rows, LEVELS)[:, 3, 0], rows.last_usd_per_mwh)
    assert np.array_equal(day_ahead(rows, LEVELS)[:, :, 2], rows.day_ahead_usd_per_mwh)


def test_error_quantiles_cover_their_own_past_as_promised() -> None:
    rows = small_examples()
    points = persistence(rows, LEVELS)
    wide = with_error_quantiles(points, points, rows.prices_usd_per_mwh, LEVELS)
    assert coverage(rows.prices_usd_per_mwh, wide) == pytest.approx(LEVELS, abs=0.01)


def test_a_trained_model_beats_persistence_on_days_that_it_did_not_see() -> None:
    unseen = small_examples().between(RECIPE.train_until, day_after(21))
    forecast = model_prices(unseen, run_onnx(small_model().onnx, unseen.table()))
    assert np.all(np.diff(forecast, axis=2) >= 0)
    actual = unseen.prices_usd_per_mwh
    mine = loss_by_horizon(actual, forecast, RECIPE.levels)
    naive = loss_by_horizon(actual, persistence(unseen, RECIPE.levels), RECIPE.levels)
    assert mine.shape == (8,)
    assert mine.mean() < naive.mean()


def test_an_evaluation_notices_bytes_that_training_did_not_make() -> None:
    unseen = small_examples().between(RECIPE.train_until, day_after(21))
    model = small_model()
    honest = evaluate(small_examples(), unseen, model, model.onnx, RECIPE.levels)
    assert honest.reproduced
    assert honest.passes()
    assert len(table(honest).splitlines()) == 2 + len(MINUTES) + 1
    other = model.onnx.replace(b"models.price.train", b"models.price.pirat")
    assert not evaluate(small_examples(), unseen, model, other, RECIPE.levels).reproduced


def test_the_evaluation_refuses_data_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "absent.csv.gz"
    assert main(["--data", str(data)]) == 2
    assert str(data) in capsys.readouterr().err
