"""Judges the shipped model on January to June 2025, which training never saw.

`python -m models.price.evaluate --data FILE [--json FILE]` trains again from the data, checks that
the shipped ONNX file is the one that training makes, and that it answers as LightGBM does (exit
code 1 otherwise), and prints the pinball loss by horizon beside the naive forecasts.
"""

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models.price.dataset import Examples, examples, read_history
from models.price.export import PARITY, run_native, run_onnx
from models.price.metrics import (
    coverage,
    day_ahead,
    loss_by_horizon,
    model_prices,
    persistence,
    with_error_quantiles,
)
from models.price.recipe import TEST_UNTIL, Recipe
from models.price.train import FOLDER, MODEL_FILE, TrainedModel, train
from shared.errors import BadInputError
from shared.price.features import HORIZONS

MINUTES = tuple(15 * (horizon + 1) for horizon in range(HORIZONS))


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference of ONNX and LightGBM: in the model's own unit and in USD/MWh."""

    answers: float
    prices_usd_per_mwh: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`pinball_usd_per_mwh` maps a forecast's name to its loss by horizon; `coverage` a level to
    the share of prices at or below its forecast; `reproduced` says whether training made the
    shipped bytes again."""

    rows: int
    pinball_usd_per_mwh: Mapping[str, tuple[float, ...]]
    coverage: Mapping[float, float]
    parity: Parity
    reproduced: bool
    sha256: str

    def passes(self) -> bool:
        """Whether ONNX answers as the native library does."""
        return max(self.parity.answers, self.parity.prices_usd_per_mwh) <= PARITY


def evaluate(
    past: Examples, test: Examples, model: TrainedModel, shipped: bytes, levels: Sequence[float]
) -> Evaluation:
    """Compares the shipped bytes with the native model of the same training.

    The naive forecasts take their error quantiles from `past`, which the model was trained on.
    """
    actual = test.prices_usd_per_mwh
    answers = run_onnx(shipped, test.table())
    native = run_native(model.boosters, test.table())
    forecast = model_prices(test, answers)
    last, ahead = persistence(test, levels), day_ahead(test, levels)
    forecasts = {
        "model": forecast,
        "persistence": last,
        "day_ahead": ahead,
        "persistence_with_errors_of_2024": with_error_quantiles(
            last, persistence(past, levels), past.prices_usd_per_mwh, levels
        ),
        "day_ahead_with_errors_of_2024": with_error_quantiles(
            ahead, day_ahead(past, levels), past.prices_usd_per_mwh, levels
        ),
    }
    digest = hashlib.sha256(shipped).hexdigest()
    return Evaluation(
        rows=len(test),
        pinball_usd_per_mwh={
            name: tuple(float(x) for x in loss_by_horizon(actual, prices, levels))
            for name, prices in forecasts.items()
        },
        coverage={
            level: float(share)
            for level, share in zip(levels, coverage(actual, forecast), strict=True)
        },
        parity=Parity(
            float(np.abs(answers - native).max()),
            float(np.abs(forecast - model_prices(test, native)).max()),
        ),
        reproduced=hmac.compare_digest(digest, hashlib.sha256(model.onnx).hexdigest()),
        sha256=digest,
    )


def evaluate_file(data: Path, folder: Path = FOLDER) -> Evaluation:
    """Trains on the recipe's span of the data and evaluates the folder's model on what follows."""
    recipe = Recipe()
    history = read_history(data)
    past = examples(history, recipe.train_from, recipe.train_until)
    test = examples(history, recipe.train_until, TEST_UNTIL)
    shipped = (folder / MODEL_FILE).read_bytes()
    return evaluate(past, test, train(past, recipe), shipped, recipe.levels)


def table(evaluation: Evaluation) -> str:
    """The losses by horizon as a table for a terminal or a model card."""
    names = list(evaluation.pinball_usd_per_mwh)
    lines = ["| minutes ahead | " + " | ".join(name.replace("_", " ") for name in names) + " |"]
    lines.append("| --- " * (len(names) + 1) + "|")
    for horizon, minutes in enumerate(MINUTES):
        losses = [evaluation.pinball_usd_per_mwh[name][horizon] for name in names]
        lines.append(f"| {minutes} | " + " | ".join(f"{loss:.3f}" for loss in losses) + " |")
    means = [float(np.mean(evaluation.pinball_usd_per_mwh[name])) for name in names]
    lines.append("| mean | " + " | ".join(f"{loss:.3f}" for loss in means) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 when the shipped model fails, 2 when the data is refused."""
    parser = argparse.ArgumentParser(prog="python -m models.price.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="gzipped CSV of 15-minute rows")
    parser.add_argument("--json", type=Path, help="where to write the figures as JSON")
    options = parser.parse_args(arguments)
    try:
        evaluation = evaluate_file(options.data)
    except (BadInputError, OSError) as error:
        print(f"{options.data}: {error}", file=sys.stderr)
        return 2
    print(f"{evaluation.rows} decision times, mean pinball loss in USD/MWh")
    print(table(evaluation))
    print("coverage:", {level: round(share, 3) for level, share in evaluation.coverage.items()})
    print(f"ONNX against LightGBM: {evaluation.parity}")
    print(f"training again made the shipped bytes: {evaluation.reproduced} ({evaluation.sha256})")
    if options.json:
        options.json.write_text(json.dumps(asdict(evaluation), indent=2) + "\n", encoding="utf-8")
    return 0 if evaluation.passes() and evaluation.reproduced else 1


if __name__ == "__main__":
    sys.exit(main())
