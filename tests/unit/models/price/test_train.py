import gzip
import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.price import train as training
from models.price.dataset import day_ms, examples, read_history
from models.price.export import run_native, run_onnx
from models.price.recipe import TRAIN_UNTIL, Recipe
from models.price.train import FOLDER, MANIFEST_FILE, MODEL_FILE, manifest_of, train
from shared.price.features import FEATURE_NAMES
from shared.price.manifest import read_manifest
from tests.unit.models.price.small_training import RECIPE, small_examples, small_model
from tests.unit.shared.price.market_sample import FIRST_DAY, day_after, sample_market


def test_training_twice_gives_the_same_bytes() -> None:
    assert train(small_examples(), RECIPE).onnx == small_model().onnx


def test_another_seed_or_other_data_give_another_model() -> None:
    seeded = replace(RECIPE, parameters={**RECIPE.parameters, "seed": 2})
    other = examples(sample_market(21, seed=2), FIRST_DAY, day_after(21))
    assert train(small_examples(), seeded).onnx != small_model().onnx
    assert train(other, RECIPE).onnx != small_model().onnx


def test_what_lies_after_the_training_span_does_not_reach_the_model() -> None:
    cut = sample_market(21).before(day_ms(RECIPE.train_until))
    span = examples(cut, FIRST_DAY, RECIPE.train_until)
    whole = examples(sample_market(21), FIRST_DAY, RECIPE.train_until)
    assert np.array_equal(span.features, whole.features)
    assert train(span, RECIPE).onnx == train(whole, RECIPE).onnx


def test_onnx_and_lightgbm_give_the_same_answers_on_days_not_trained_on() -> None:
    unseen = small_examples().between(RECIPE.train_until, day_after(21))
    native = run_native(small_model().boosters, unseen.table())
    assert np.array_equal(run_onnx(small_model().onnx, unseen.table()), native)
    assert len(np.unique(native)) > 100


def test_the_manifest_names_the_bytes_the_features_and_the_span() -> None:
    manifest = manifest_of(small_model(), RECIPE, "0" * 64)
    assert manifest.files == {MODEL_FILE: hashlib.sha256(small_model().onnx).hexdigest()}
    assert manifest.features == FEATURE_NAMES
    assert manifest.horizons_min == (15, 30, 45, 60, 75, 90, 105, 120)
    assert manifest.training.end_day == RECIPE.train_until.isoformat()
    assert manifest.libraries["lightgbm"]


def test_the_shipped_files_belong_together_and_saw_nothing_of_2025() -> None:
    manifest = read_manifest((FOLDER / MANIFEST_FILE).read_bytes())
    content = (FOLDER / MODEL_FILE).read_bytes()
    assert manifest.files[MODEL_FILE] == hashlib.sha256(content).hexdigest()
    assert manifest.features == FEATURE_NAMES
    assert manifest.quantiles == Recipe().levels
    assert manifest.training.end_day == TRAIN_UNTIL.isoformat() == "2025-01-01"
    assert len(content) < 3 * 1024 * 1024


def test_the_command_refuses_data_without_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.csv.gz"
    data.write_bytes(gzip.compress(b"time,price\n2024-01-01,3\n"))
    assert training.main(["--data", str(data), "--out", str(tmp_path)]) == 2
    assert "da_usd_per_mwh" in capsys.readouterr().err
    assert not (tmp_path / MODEL_FILE).exists()


def test_real_data_of_2025_leave_the_training_rows_as_they_are(shared_data: Path) -> None:
    path = shared_data / "energy" / "ercot_hub_15min_2024-01_2025-06.csv.gz"
    history = read_history(path)
    whole = examples(history, date(2024, 12, 20), TRAIN_UNTIL)
    cut = examples(history.before(day_ms(TRAIN_UNTIL)), date(2024, 12, 20), TRAIN_UNTIL)
    assert len(whole) > 1_000
    assert np.array_equal(whole.features, cut.features)
    assert np.array_equal(whole.prices_usd_per_mwh, cut.prices_usd_per_mwh)
