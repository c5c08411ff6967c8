import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.price.exact import LEAF_STEP, InexactModelError, exact, floor32
from models.price.export import largest_difference, run_onnx, to_onnx

PARAMETERS = {
    "objective": "quantile",
    "alpha": 0.9,
    "num_leaves": 31,
    "min_data_in_leaf": 5,
    "num_threads": 1,
    "verbose": -1,
    "seed": 1,
}


def booster(scale: float = 1.0, rounds: int = 60) -> lightgbm.Booster:
    dice = np.random.default_rng(3)
    table = dice.normal(size=(4_000, 4)).astype(np.float32)
    target = scale * (table[:, 0] + table[:, 1] ** 2 + dice.normal(size=4_000))
    return lightgbm.train(PARAMETERS, lightgbm.Dataset(table, target), rounds)


def thresholds(model: lightgbm.Booster) -> list[float]:
    lines = model.model_to_string().split("\n")
    texts = [line.partition("=")[2] for line in lines if line.startswith("threshold=")]
    return [float(value) for text in texts for value in text.split()]


def around(values: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Rows on, just below and just above every threshold."""
    nearest = np.array(values, dtype=np.float32)
    low = np.nextafter(nearest, np.float32(-np.inf))
    high = np.nextafter(nearest, np.float32(np.inf))
    return np.repeat(np.concatenate([low, nearest, high])[:, None], 4, axis=1)


@given(st.floats(-(2.0**100), 2.0**100), st.floats(-(2.0**100), 2.0**100, width=32))
def test_a_floored_threshold_parts_single_precision_values_as_the_original_did(
    threshold: float, value: float
) -> None:
    assert (value <= floor32(threshold)) == (value <= threshold)


def test_onnx_answers_bit_for_bit_as_the_exact_booster_even_on_its_thresholds() -> None:
    model = exact(booster())
    hard = around(thresholds(booster()))
    assert largest_difference(to_onnx([model], 4), [model], hard) == 0.0


def test_without_rounding_onnx_would_differ() -> None:
    model = booster()
    assert largest_difference(to_onnx([model], 4), [model], around(thresholds(model))) > 0.0


def test_rounding_moves_no_answer_by_more_than_half_a_step_a_tree() -> None:
    model, rounded = booster(), exact(booster())
    rows = np.random.default_rng(4).normal(size=(500, 4)).astype(np.float32)
    moved = np.abs(np.asarray(model.predict(rows)) - np.asarray(rounded.predict(rows)))
    assert 0 < moved.max() <= 60 * LEAF_STEP / 2


def test_a_booster_whose_sums_may_be_inexact_is_refused() -> None:
    with pytest.raises(InexactModelError, match="exact below"):
        exact(booster(scale=1e4))


def test_each_booster_has_its_own_column_in_the_one_file() -> None:
    small, large = exact(booster(rounds=5)), exact(booster(rounds=40))
    rows = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
    answers = run_onnx(to_onnx([small, large], 4), rows)
    assert answers.shape == (50, 2)
    assert np.array_equal(answers[:, 0], np.asarray(small.predict(rows)))
    assert np.array_equal(answers[:, 1], np.asarray(large.predict(rows)))
