"""What the market has published, and the part of it that is known at a moment.

Known when (ERCOT): a real-time price once its interval has ended; day-ahead prices and the
day-ahead demand forecast are published in the early afternoon (Central time) for the whole next
day, so at least ten hours ahead of any interval are always out; a temperature once its hour has
ended.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.errors import BadInputError
from shared.price.forecast import NoForecastReason
from shared.time import iso_utc

INTERVAL_MS = 15 * 60_000
HOUR_MS = 60 * 60_000
MAX_INTERVALS = 100_000
PUBLISHED_AHEAD_MS = 10 * HOUR_MS
MAX_TEMPERATURE_AGE_MS = 6 * HOUR_MS

_RANGES = {
    "real_time_usd_per_mwh": (-10_000.0, 20_000.0),
    "day_ahead_usd_per_mwh": (-10_000.0, 20_000.0),
    "demand_forecast_mw": (0.0, 1_000_000.0),
    "temperature_c": (-80.0, 70.0),
}


class MissingInputError(Exception):
    """An input that the forecast needs is not known: `reason` says which kind, and `at_ms` where
    the `span` ("interval" or "hour") begins that lacks it."""

    def __init__(self, reason: NoForecastReason, span: str, at_ms: int) -> None:
        detail = f"{span} of {iso_utc(at_ms)}"
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MarketInterval:
    """What was published about one 15-minute settlement interval; None where nothing was.

    `start_ms` lies on a quarter of an hour. A value that is not finite or out of any market's range
    raises `BadInputError`.
    """

    start_ms: int
    real_time_usd_per_mwh: float | None = None
    day_ahead_usd_per_mwh: float | None = None
    demand_forecast_mw: float | None = None
    temperature_c: float | None = None

    def __post_init__(self) -> None:
        if self.start_ms % INTERVAL_MS:
            raise BadInputError("start_ms", f"{self.start_ms}", "a quarter of an hour, in ms")
        for name, (low, high) in _RANGES.items():
            value: float | None = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise BadInputError(name, f"{value}", f"{low} to {high}")


@dataclass(frozen=True, slots=True)
class MarketHistory:
    """Intervals by their start, past and published future alike."""

    intervals: Mapping[int, MarketInterval]

    @classmethod
    def of(cls, intervals: Iterable[MarketInterval]) -> "MarketHistory":
        """Collects intervals in any order; `BadInputError` for a duplicate or too many."""
        by_start: dict[int, MarketInterval] = {}
        for interval in intervals:
            if interval.start_ms in by_start:
                raise BadInputError("start_ms", f"{interval.start_ms} twice", "one row an interval")
            by_start[interval.start_ms] = interval
            if len(by_start) > MAX_INTERVALS:
                raise BadInputError("intervals", "too many", f"at most {MAX_INTERVALS}")
        return cls(by_start)

    def before(self, end_ms: int) -> "MarketHistory":
        """Only the intervals that start before a moment, as if nothing later had been published."""
        return MarketHistory({s: i for s, i in self.intervals.items() if s < end_ms})

    def known_until_ms(self, now_ms: int, max_age_ms: int) -> int | None:
        """The end of the newest finished interval with a real-time price, at most so old."""
        end_ms = now_ms - now_ms % INTERVAL_MS
        while now_ms - end_ms <= max_age_ms:
            interval = self.intervals.get(end_ms - INTERVAL_MS)
            if interval is not None and interval.real_time_usd_per_mwh is not None:
                return end_ms
            end_ms -= INTERVAL_MS
        return None


@dataclass(frozen=True, slots=True)
class KnownMarket:
    """The history as it was known at `as_of_ms`; what was not yet out reads as missing."""

    history: MarketHistory
    as_of_ms: int

    def real_time(self, start_ms: int) -> float:
        """The price of a finished interval, USD/MWh; else `MissingInputError`."""
        interval = self.history.intervals.get(start_ms)
        if (
            interval is None
            or interval.real_time_usd_per_mwh is None
            or start_ms + INTERVAL_MS > self.as_of_ms
        ):
            raise MissingInputError(NoForecastReason.MISSING_PRICE, "interval", start_ms)
        return interval.real_time_usd_per_mwh

    def day_ahead(self, start_ms: int) -> float:
        """The day-ahead price of an interval's hour, USD/MWh; else `MissingInputError`."""
        interval = self._published(start_ms)
        if interval is None or interval.day_ahead_usd_per_mwh is None:
            raise MissingInputError(NoForecastReason.MISSING_DAY_AHEAD, "interval", start_ms)
        return interval.day_ahead_usd_per_mwh

    def demand_forecast(self, start_ms: int) -> float:
        """The day-ahead demand forecast of an interval's hour, MW; else `MissingInputError`."""
        interval = self._published(start_ms)
        if interval is None or interval.demand_forecast_mw is None:
            raise MissingInputError(NoForecastReason.MISSING_DEMAND, "interval", start_ms)
        return interval.demand_forecast_mw

    def temperature(self) -> float:
        """The temperature of the newest hour that has ended, °C.

        A missing hour is replaced by the newest known one of the five before it; else
        `MissingInputError`.
        """
        newest_ms = self.as_of_ms - self.as_of_ms % HOUR_MS - HOUR_MS
        for start_ms in range(newest_ms, newest_ms - MAX_TEMPERATURE_AGE_MS, -HOUR_MS):
            interval = self.history.intervals.get(start_ms)
            if interval is not None and interval.temperature_c is not None:
                return interval.temperature_c
        raise MissingInputError(NoForecastReason.MISSING_TEMPERATURE, "hour", newest_ms)

    def _published(self, start_ms: int) -> MarketInterval | None:
        if start_ms > self.as_of_ms + PUBLISHED_AHEAD_MS:
            return None
        return self.history.intervals.get(start_ms)
