"""Trains the price model and writes price.onnx and manifest.json.

`python -m models.price.train --data FILE` writes the same bytes each time (one thread, fixed
seeds, no time stamps) with the library versions that the manifest names.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np

from models.price.dataset import Examples, Floats, examples, read_history
from models.price.exact import exact
from models.price.export import PARITY, ExportError, largest_difference, to_onnx
from models.price.recipe import Recipe
from shared.errors import BadInputError
from shared.price.features import FEATURE_NAMES, HORIZONS
from shared.price.manifest import Manifest, Training
from shared.price.market import INTERVAL_MS
from shared.price.scale import compress

FOLDER = Path(__file__).parent
MODEL_FILE = "price.onnx"
MANIFEST_FILE = "manifest.json"
_LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime")
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The boosters as exported, and the ONNX file's bytes; `rounds` has one number a level."""

    boosters: tuple[lightgbm.Booster, ...]
    onnx: bytes
    rounds: tuple[int, ...]
    rows: int


def train(rows: Examples, recipe: Recipe) -> TrainedModel:
    """Fits, rounds, exports, and refuses an export that answers otherwise (`ExportError`)."""
    rounds = tuple(_rounds(rows, recipe, level) for level in recipe.levels)
    span = rows.between(recipe.train_from, recipe.train_until)
    boosters = tuple(
        exact(_fit(span, recipe, level, count))
        for level, count in zip(recipe.levels, rounds, strict=True)
    )
    content = to_onnx(boosters, len(FEATURE_NAMES))
    difference = largest_difference(content, boosters, span.table())
    if difference > PARITY:
        raise ExportError(f"ONNX differs from LightGBM by {difference}, at most {PARITY} allowed")
    return TrainedModel(boosters, content, rounds, len(span))


def _rounds(rows: Examples, recipe: Recipe, level: float) -> int:
    """The number of rounds that does best on the last part of the span, grown on the first."""
    grown = _dataset(rows.between(recipe.train_from, recipe.select_from), recipe)
    judged = rows.between(recipe.select_from, recipe.train_until)
    booster = lightgbm.train(
        {**recipe.parameters, "alpha": level},
        grown,
        recipe.max_rounds,
        valid_sets=[grown.create_valid(judged.table(), _offsets(judged))],
        callbacks=[lightgbm.early_stopping(recipe.patience, verbose=False)],
    )
    return int(booster.best_iteration)


def _fit(rows: Examples, recipe: Recipe, level: float, rounds: int) -> lightgbm.Booster:
    return lightgbm.train({**recipe.parameters, "alpha": level}, _dataset(rows, recipe), rounds)


def _dataset(rows: Examples, recipe: Recipe) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.table(),
        _offsets(rows),
        feature_name=list(FEATURE_NAMES),
        params=dict(recipe.parameters),
    )


def _offsets(rows: Examples) -> Floats:
    """What the boosters learn: the compressed price less its base."""
    prices = rows.prices_usd_per_mwh.ravel()
    compressed = np.array([compress(float(price)) for price in prices], dtype=np.float64)
    return compressed - rows.bases.ravel()


def manifest_of(model: TrainedModel, recipe: Recipe, data_sha256: str) -> Manifest:
    """What the agent will check before it loads the model."""
    return Manifest(
        name="price",
        files={MODEL_FILE: hashlib.sha256(model.onnx).hexdigest()},
        features=FEATURE_NAMES,
        horizons_min=tuple(INTERVAL_MS * (h + 1) // _MINUTE_MS for h in range(HORIZONS)),
        quantiles=recipe.levels,
        training=Training(
            first_day=recipe.train_from.isoformat(),
            end_day=recipe.train_until.isoformat(),
            rows=model.rows,
            data_sha256=data_sha256,
        ),
        libraries={name: version(name) for name in _LIBRARIES},
    )


def train_from_file(data: Path, recipe: Recipe) -> TrainedModel:
    """Reads the data and trains on what lies in the recipe's span."""
    return train(examples(read_history(data), recipe.train_from, recipe.train_until), recipe)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 when the data is refused."""
    parser = argparse.ArgumentParser(prog="python -m models.price.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="gzipped CSV of 15-minute rows")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    options = parser.parse_args(arguments)
    recipe = Recipe()
    try:
        model = train_from_file(options.data, recipe)
        digest = hashlib.sha256(options.data.read_bytes()).hexdigest()
    except (BadInputError, OSError) as error:
        print(f"{options.data}: {error}", file=sys.stderr)
        return 2
    manifest = manifest_of(model, recipe, digest)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MODEL_FILE).write_bytes(model.onnx)
    (options.out / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    print(f"trained on {model.rows} decision times, rounds {model.rounds}")
    print(f"{options.out / MODEL_FILE}: {len(model.onnx)} bytes, {manifest.files[MODEL_FILE]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
