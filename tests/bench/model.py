"""How good and how fast the price model is.

`python -m tests.bench.model [--data FILE] [--json FILE]`: pinball loss by horizon over January to
June 2025 beside persistence and the day-ahead price, ONNX against LightGBM, and the time from
market history to quantiles in the agent's own forecaster. A ratio below 1 is better than naive.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.inference.loader import shipped_folder
from agent.inference.price import PriceForecaster, load_price_forecaster
from models.price.dataset import day_ms, read_history
from models.price.evaluate import MINUTES, Evaluation, evaluate_file
from models.price.recipe import TRAIN_UNTIL
from shared.price.forecast import Forecast
from shared.price.market import INTERVAL_MS, MarketHistory
from tests.bench.market_data import DATA, absent
from tests.bench.model_memory import memory_case
from tests.bench.report import Case, beside, show, write

_WARM_UP = 200
_TIMED = 5_000


def loss_cases(evaluation: Evaluation) -> list[Case]:
    """The model's loss beside each naive forecast's, by horizon and in the mean."""
    losses = evaluation.pinball_usd_per_mwh
    found = []
    for naive in losses:
        if naive == "model":
            continue
        name = naive.replace("_", " ")
        for horizon, minutes in enumerate(MINUTES):
            case = f"pinball {minutes} min vs {name}"
            found.append(beside(case, losses["model"][horizon], "USD/MWh", losses[naive][horizon]))
        means = float(np.mean(losses["model"])), float(np.mean(losses[naive]))
        found.append(beside(f"pinball mean vs {name}", means[0], "USD/MWh", means[1]))
    return found


def coverage_cases(evaluation: Evaluation) -> list[Case]:
    """The share of prices at or below each quantile, beside the share it promises."""
    return [
        beside(f"prices below the {level} quantile", share, "share", level)
        for level, share in evaluation.coverage.items()
    ]


def parity_cases(evaluation: Evaluation) -> list[Case]:
    """ONNX against LightGBM over all rows of the test period."""
    return [
        Case("parity, answers", evaluation.parity.answers, "largest difference"),
        Case("parity, prices", evaluation.parity.prices_usd_per_mwh, "USD/MWh"),
    ]


def inference_cases(forecaster: PriceForecaster, history: MarketHistory) -> list[Case]:
    """Wall time of one forecast, features included, on this machine."""
    first_ms = day_ms(TRAIN_UNTIL)
    times_ms = []
    given = 0
    for number in range(_WARM_UP + _TIMED):
        now_ms = first_ms + number * INTERVAL_MS
        started = time.perf_counter()
        forecast = forecaster.forecast(history, now_ms)
        times_ms.append((time.perf_counter() - started) * 1000)
        given += isinstance(forecast, Forecast)
    timed = times_ms[_WARM_UP:]
    return [
        beside("forecasts given", given, "forecasts", _WARM_UP + _TIMED),
        Case("inference p50", float(np.percentile(timed, 50)), "ms"),
        Case("inference p99", float(np.percentile(timed, 99)), "ms"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 when ONNX and LightGBM differ, 2 without data."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.model", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="gzipped CSV of 15-minute rows")
    parser.add_argument("--json", type=Path, help="where to write the report")
    options = parser.parse_args(arguments)
    if problem := absent(options.data):
        print(problem, file=sys.stderr)
        return 2
    forecaster = load_price_forecaster(shipped_folder("price"))
    evaluation = evaluate_file(options.data)
    found = [
        *loss_cases(evaluation),
        *coverage_cases(evaluation),
        *parity_cases(evaluation),
        *inference_cases(forecaster, read_history(options.data)),
        memory_case(),
    ]
    print(show(found))
    if options.json:
        write(options.json, "model", found)
    return 0 if evaluation.passes() else 1


if __name__ == "__main__":
    sys.exit(main())
