"""A training of seconds: three weeks of a made-up market, few and small trees."""

from functools import cache

from models.price.dataset import Examples, examples
from models.price.recipe import LIGHTGBM, Recipe
from models.price.train import TrainedModel, train
from tests.unit.shared.price.market_sample import FIRST_DAY, day_after, sample_market

DAYS = 21
RECIPE = Recipe(
    levels=(0.1, 0.5, 0.9),
    train_from=FIRST_DAY,
    select_from=day_after(14),
    train_until=day_after(DAYS - 3),
    max_rounds=25,
    patience=5,
    parameters={**LIGHTGBM, "min_data_in_leaf": 40, "num_leaves": 8},
)


@cache
def small_examples() -> Examples:
    """Everything that the made-up market gives."""
    return examples(sample_market(DAYS), FIRST_DAY, day_after(DAYS))


@cache
def small_model() -> TrainedModel:
    """Trained once for all tests."""
    return train(small_examples(), RECIPE)
