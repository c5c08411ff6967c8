"""How good a forecast is, and the naive forecasts it stands beside."""

from collections.abc import Sequence

import numpy as np

from models.price.dataset import Examples, Floats
from shared.price.prediction import prices


def pinball(actual: Floats, forecast: Floats, level: float) -> Floats:
    """The quantile loss of each value, in the unit of the price: 0 when it was hit.

    Koenker and Bassett, Regression Quantiles, Econometrica 46 (1978).
    """
    error = actual - forecast
    return np.maximum(level * error, (level - 1) * error)


def loss_by_horizon(actual: Floats, forecast: Floats, levels: Sequence[float]) -> Floats:
    """Mean pinball loss over decision times and levels [horizon], USD/MWh.

    `actual` is [n, horizon], `forecast` [n, horizon, level].
    """
    losses = [
        pinball(actual, forecast[:, :, column], level).mean(axis=0)
        for column, level in enumerate(levels)
    ]
    return np.asarray(np.mean(losses, axis=0), dtype=np.float64)


def coverage(actual: Floats, forecast: Floats) -> Floats:
    """The share of prices at or below each level's forecast [level]; the level, ideally."""
    return np.asarray((actual[:, :, None] <= forecast).mean(axis=(0, 1)), dtype=np.float64)


def model_prices(rows: Examples, offsets: Floats) -> Floats:
    """The model's prices [n, horizon, level] from its answers [n * horizon, level]."""
    flat = [prices(float(base), row) for base, row in zip(rows.bases.ravel(), offsets, strict=True)]
    return np.array(flat, dtype=np.float64).reshape(*rows.bases.shape, -1)


def persistence(rows: Examples, levels: Sequence[float]) -> Floats:
    """The last known price for every horizon and level [n, horizon, level]."""
    points = np.repeat(rows.last_usd_per_mwh[:, None], rows.bases.shape[1], axis=1)
    return _every_level(points, levels)


def day_ahead(rows: Examples, levels: Sequence[float]) -> Floats:
    """The day-ahead price for every level [n, horizon, level]."""
    return _every_level(rows.day_ahead_usd_per_mwh, levels)


def with_error_quantiles(
    points: Floats, past_points: Floats, past_actual: Floats, levels: Sequence[float]
) -> Floats:
    """A naive forecast widened by the quantiles of its own past errors at the same horizon.

    All point forecasts are [n, horizon, level] with one value for all levels.
    """
    errors = past_actual - past_points[:, :, 0]
    widths = np.quantile(errors, levels, axis=0).T
    return points + widths[None, :, :]


def _every_level(points: Floats, levels: Sequence[float]) -> Floats:
    return np.repeat(points[:, :, None], len(levels), axis=2)
