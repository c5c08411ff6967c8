"""Reads the public market data and lays it out as examples."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.errors import BadInputError
from shared.price.features import HORIZONS, bases, feature_rows, recent
from shared.price.market import (
    INTERVAL_MS,
    KnownMarket,
    MarketHistory,
    MarketInterval,
    MissingInputError,
)
from shared.time import to_ms

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

_TIME = "interval_start_utc"
_COLUMNS = {
    "real_time_usd_per_mwh": "rt_usd_per_mwh",
    "day_ahead_usd_per_mwh": "da_usd_per_mwh",
    "demand_forecast_mw": "da_demand_forecast_mw",
    "temperature_c": "temp_c_ercot",
}


def read_history(path: Path) -> MarketHistory:
    """Reads a gzipped CSV of 15-minute intervals; `BadInputError` names row and column.

    Columns: interval_start_utc (ISO 8601 with offset), rt_usd_per_mwh, da_usd_per_mwh,
    da_demand_forecast_mw, temp_c_ercot; an empty field is unknown.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        wanted = {_TIME, *_COLUMNS.values()}
        if not wanted <= set(reader.fieldnames or ()):
            raise BadInputError("header", f"{reader.fieldnames}", f"at least {sorted(wanted)}")
        return MarketHistory.of(_interval(row, number) for number, row in enumerate(reader, 2))


def _interval(row: dict[str, str], number: int) -> MarketInterval:
    values: dict[str, float | None] = {}
    for name, column in _COLUMNS.items():
        try:
            values[name] = float(row[column]) if row[column] else None
        except ValueError as error:
            raise BadInputError(f"row {number}, {column}", row[column][:40], "a number") from error
    try:
        start = datetime.fromisoformat(row[_TIME])
    except ValueError as error:
        raise BadInputError(f"row {number}, {_TIME}", row[_TIME][:40], "ISO 8601") from error
    return MarketInterval(to_ms(start), **values)


@dataclass(frozen=True, slots=True)
class Examples:
    """One example a decision time, eight targets each.

    `as_of_ms` [n]; `features` [n, horizon, feature]; `bases` [n, horizon], compressed;
    `prices_usd_per_mwh` [n, horizon], what came; `last_usd_per_mwh` [n], the last known price;
    `day_ahead_usd_per_mwh` [n, horizon].
    """

    as_of_ms: npt.NDArray[np.int64]
    features: Singles
    bases: Floats
    prices_usd_per_mwh: Floats
    last_usd_per_mwh: Floats
    day_ahead_usd_per_mwh: Floats

    def between(self, first: date, end: date) -> "Examples":
        """The examples whose decision and all of whose targets lie in [first, end)."""
        until_ms = day_ms(end) - HORIZONS * INTERVAL_MS
        chosen = (self.as_of_ms >= day_ms(first)) & (self.as_of_ms <= until_ms)
        return Examples(
            self.as_of_ms[chosen],
            self.features[chosen],
            self.bases[chosen],
            self.prices_usd_per_mwh[chosen],
            self.last_usd_per_mwh[chosen],
            self.day_ahead_usd_per_mwh[chosen],
        )

    def __len__(self) -> int:
        return len(self.as_of_ms)

    def table(self) -> Singles:
        """The features as [n * horizon, feature]."""
        return self.features.reshape(-1, self.features.shape[-1])


def day_ms(day: date) -> int:
    """The start of a UTC day."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def examples(history: MarketHistory, first: date, end: date) -> Examples:
    """Every decision time in [first, end) whose inputs were known and whose targets came in it.

    Nothing of the history from `end` on is looked at, not even what was published before it.
    """
    seen = history.before(day_ms(end))
    rows = list(_rows(seen, day_ms(first), day_ms(end) - HORIZONS * INTERVAL_MS))
    if not rows:
        raise BadInputError("data", f"no usable row from {first} to {end}", "at least one")
    as_of, features, base, prices, last, day_ahead = zip(*rows, strict=True)
    return Examples(
        np.array(as_of, dtype=np.int64),
        np.array(features, dtype=np.float32),
        np.array(base, dtype=np.float64),
        np.array(prices, dtype=np.float64),
        np.array(last, dtype=np.float64),
        np.array(day_ahead, dtype=np.float64),
    )


_Row = tuple[
    int,
    tuple[tuple[float, ...], ...],
    tuple[float, ...],
    list[float],
    float,
    list[float],
]


def _rows(history: MarketHistory, first_ms: int, last_ms: int) -> Iterator[_Row]:
    for as_of_ms in range(first_ms, last_ms + 1, INTERVAL_MS):
        market = KnownMarket(history, as_of_ms)
        later = KnownMarket(history, as_of_ms + HORIZONS * INTERVAL_MS)
        starts = [as_of_ms + horizon * INTERVAL_MS for horizon in range(HORIZONS)]
        try:
            known = recent(market)
            yield (
                as_of_ms,
                feature_rows(known),
                bases(known),
                [later.real_time(start) for start in starts],
                market.real_time(as_of_ms - INTERVAL_MS),
                [market.day_ahead(start) for start in starts],
            )
        except MissingInputError:
            continue
