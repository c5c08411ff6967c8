"""What is trained: quantiles, parameters, and the days it may see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
TRAIN_FROM = date(2024, 1, 1)
SELECT_FROM = date(2024, 10, 1)
TRAIN_UNTIL = date(2025, 1, 1)
TEST_UNTIL = date(2025, 7, 1)

LIGHTGBM = MappingProxyType(
    {
        "objective": "quantile",
        "learning_rate": 0.08,
        "num_leaves": 24,
        "min_data_in_leaf": 200,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.3,
        "bagging_freq": 1,
        "max_bin": 127,
        "seed": 20241231,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One booster a level; the rounds are chosen on the last part of the training span.

    `select_from` splits that span: boosters grow on what lies before it until the pinball loss on
    what follows has not improved for `patience` rounds; then they are fitted anew on all of it with
    as many rounds.
    """

    levels: tuple[float, ...] = LEVELS
    train_from: date = TRAIN_FROM
    select_from: date = SELECT_FROM
    train_until: date = TRAIN_UNTIL
    max_rounds: int = 400
    patience: int = 30
    parameters: Mapping[str, object] = field(default_factory=lambda: LIGHTGBM)
