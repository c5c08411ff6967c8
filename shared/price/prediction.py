"""From the model's numbers to a forecast: pure, and the same at the edge and in evaluation."""

from collections.abc import Sequence

from shared.errors import BadInputError
from shared.price.forecast import Forecast, HorizonForecast
from shared.price.market import INTERVAL_MS
from shared.price.scale import expand


def prices(base: float, offsets: Sequence[float]) -> tuple[float, ...]:
    """USD/MWh of one horizon from compressed offsets to the base; sorted, so never crossing."""
    return tuple(expand(base + offset) for offset in sorted(offsets))


def to_forecast(
    issued_at_ms: int,
    as_of_ms: int,
    bases: Sequence[float],
    offsets: Sequence[Sequence[float]],
    levels: Sequence[float],
) -> Forecast:
    """The forecast from a base and a row of offsets a horizon, one offset a quantile level.

    `BadInputError` when the shapes do not match, or an offset is no finite number.
    """
    if len(bases) != len(offsets):
        raise BadInputError("offsets", f"{len(offsets)} rows", f"{len(bases)}")
    for row in offsets:
        if len(row) != len(levels):
            raise BadInputError("offsets", f"{len(row)} in a row", f"{len(levels)}")
    return Forecast(
        issued_at_ms=issued_at_ms,
        horizons=tuple(
            HorizonForecast(
                start_ms=as_of_ms + horizon * INTERVAL_MS,
                end_ms=as_of_ms + (horizon + 1) * INTERVAL_MS,
                quantiles=dict(zip(levels, prices(base, row), strict=True)),
            )
            for horizon, (base, row) in enumerate(zip(bases, offsets, strict=True))
        ),
    )
