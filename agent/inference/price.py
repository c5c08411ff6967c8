"""The price forecast: market history in, quantiles by horizon out."""

from dataclasses import dataclass
from pathlib import Path

from agent.inference.errors import ModelRunError, ModelShapeError
from agent.inference.loader import LoadedModel, load_model
from shared.errors import BadInputError
from shared.price.features import FEATURE_NAMES, HORIZONS, bases, feature_rows, recent
from shared.price.forecast import Forecast, NoForecast, NoForecastReason
from shared.price.market import INTERVAL_MS, KnownMarket, MarketHistory, MissingInputError
from shared.price.prediction import to_forecast

MODEL_FILE = "price.onnx"
MAX_PRICE_AGE_MS = 2 * INTERVAL_MS
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class PriceForecaster:
    """Forecasts from a loaded model, or says why not when there is none (`model` is None)."""

    model: LoadedModel | None
    max_price_age_ms: int = MAX_PRICE_AGE_MS

    def forecast(self, history: MarketHistory, now_ms: int) -> Forecast | NoForecast:
        """Quantiles from the newest finished interval on, or the reason why there are none.

        The same history and time give the same answer. A price older than `max_price_age_ms` at
        `now_ms` is stale. What lies in `history` after that interval is not looked at, but for
        day-ahead prices and demand forecasts that are already published.
        """
        if self.model is None:
            return NoForecast(NoForecastReason.NO_MODEL)
        as_of_ms = history.known_until_ms(now_ms, self.max_price_age_ms)
        if as_of_ms is None:
            return NoForecast(
                NoForecastReason.STALE_PRICE,
                f"none in the last {self.max_price_age_ms // _MINUTE_MS} minutes",
            )
        try:
            known = recent(KnownMarket(history, as_of_ms))
            rows = feature_rows(known)
        except MissingInputError as missing:
            return NoForecast(missing.reason, missing.detail)
        try:
            offsets = self.model.answer(rows)
            return to_forecast(
                now_ms, as_of_ms, bases(known), offsets, self.model.manifest.quantiles
            )
        except (ModelRunError, BadInputError, OverflowError) as error:
            return NoForecast(NoForecastReason.MODEL_FAILED, str(error))


def load_price_forecaster(
    folder: Path, max_price_age_ms: int = MAX_PRICE_AGE_MS
) -> PriceForecaster:
    """Loads the price model of a folder; a `ModelRefusedError` says why it was not."""
    model = load_model(folder, MODEL_FILE)
    manifest = model.manifest
    if manifest.features != FEATURE_NAMES:
        raise ModelShapeError(
            folder / MODEL_FILE, "made for other features than this release computes"
        )
    expected = tuple(INTERVAL_MS * (h + 1) // _MINUTE_MS for h in range(HORIZONS))
    if manifest.horizons_min != expected:
        raise ModelShapeError(
            folder / MODEL_FILE, f"horizons {manifest.horizons_min}, this release has {expected}"
        )
    return PriceForecaster(model, max_price_age_ms)
