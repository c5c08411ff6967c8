"""The long check of the shipped file; `python -m models.price.evaluate` does the same."""

from pathlib import Path

import numpy as np
import pytest

from models.price.evaluate import evaluate_file


@pytest.mark.soak
def test_training_on_2024_makes_the_shipped_bytes_and_beats_the_naive_forecasts(
    shared_data: Path,
) -> None:
    path = shared_data / "energy" / "ercot_hub_15min_2024-01_2025-06.csv.gz"
    evaluation = evaluate_file(path)
    assert evaluation.reproduced
    assert evaluation.passes()
    mine = np.array(evaluation.pinball_usd_per_mwh["model"])
    for losses in evaluation.pinball_usd_per_mwh.values():
        assert np.all(mine <= np.array(losses))
