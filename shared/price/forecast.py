"""What a price forecast says: quantiles of the real-time price of the coming intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class HorizonForecast:
    """The price of one coming settlement interval, `start_ms` inclusive to `end_ms` exclusive.

    `quantiles` maps a level (0.1, 0.5, 0.9, ...) to a price in USD/MWh, in rising order of both.
    """

    start_ms: int
    end_ms: int
    quantiles: Mapping[float, float]

    def __post_init__(self) -> None:
        if self.end_ms <= self.start_ms:
            raise BadInputError("end_ms", f"{self.end_ms}", f"after start_ms {self.start_ms}")
        levels = list(self.quantiles)
        prices = list(self.quantiles.values())
        if not levels or levels != sorted(set(levels)) or not 0 < levels[0] <= levels[-1] < 1:
            raise BadInputError("quantiles", f"levels {levels}", "rising levels between 0 and 1")
        if not all(map(math.isfinite, prices)) or prices != sorted(prices):
            raise BadInputError("quantiles", f"prices {prices}", "finite prices that never fall")

    def price_usd_per_mwh(self, level: float) -> float:
        """The price at one of the forecast's levels; `BadInputError` for another level."""
        if level not in self.quantiles:
            raise BadInputError("level", f"{level}", f"one of {sorted(self.quantiles)}")
        return self.quantiles[level]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Consecutive horizons, the first starting where the last known price ended."""

    issued_at_ms: int
    horizons: tuple[HorizonForecast, ...]

    def __post_init__(self) -> None:
        if not self.horizons:
            raise BadInputError("horizons", "none", "at least one horizon")
        for earlier, later in zip(self.horizons, self.horizons[1:], strict=False):
            if later.start_ms != earlier.end_ms:
                raise BadInputError(
                    "horizons", f"{later.start_ms} after {earlier.end_ms}", "consecutive intervals"
                )

    def at(self, time_ms: int) -> HorizonForecast | None:
        """The horizon that contains a moment; None outside of them all."""
        for horizon in self.horizons:
            if horizon.start_ms <= time_ms < horizon.end_ms:
                return horizon
        return None


class NoForecastReason(Enum):
    """Why there is no forecast; the last known price decides then, openly."""

    NO_MODEL = "no model is loaded"
    MISSING_PRICE = "a real-time price that the model needs is missing"
    STALE_PRICE = "the last known real-time price is too old"
    MISSING_DAY_AHEAD = "a day-ahead price that the model needs is missing"
    MISSING_DEMAND = "a demand forecast that the model needs is missing"
    MISSING_TEMPERATURE = "no temperature recent enough is known"
    MODEL_FAILED = "the model gave no usable answer"


@dataclass(frozen=True, slots=True)
class NoForecast:
    """The reason, and the input that it names."""

    reason: NoForecastReason
    detail: str = ""
