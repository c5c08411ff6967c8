"""The model's inputs: each a plain function of the market as it was known and of a target.

`feature_rows` gives one row a horizon. Prices enter compressed (`shared.price.scale`). The order of
`FEATURES` is the order of the columns; the model's manifest repeats it and a model made for another
order is refused.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.price.market import HOUR_MS, INTERVAL_MS, KnownMarket
from shared.price.scale import compress
from shared.price.wall_time import central_time, quarter_of_day

HORIZONS = 8
LAGS = 16
SPREAD_HALF_LIFE = 2.0


@dataclass(frozen=True, slots=True)
class Recent:
    """What all horizons share: the finished intervals, newest first, in compressed prices.

    `spreads` are real-time less day-ahead of the same interval; the day-ahead price and demand
    forecast of the newest one stand beside.
    """

    market: KnownMarket
    prices: tuple[float, ...]
    spreads: tuple[float, ...]
    day_ahead: float
    demand_mw: float
    temperature_c: float


@dataclass(frozen=True, slots=True)
class Target:
    """One coming interval; horizon 0 starts where the newest finished one ended."""

    horizon: int
    start_ms: int


def recent(market: KnownMarket) -> Recent:
    """Reads the last `LAGS` intervals; `MissingInputError` names the input that is not known."""
    newest_ms = market.as_of_ms - INTERVAL_MS
    starts = [newest_ms - lag * INTERVAL_MS for lag in range(LAGS)]
    prices = tuple(compress(market.real_time(start)) for start in starts)
    day_ahead = [compress(market.day_ahead(start)) for start in starts]
    return Recent(
        market=market,
        prices=prices,
        spreads=tuple(price - ahead for price, ahead in zip(prices, day_ahead, strict=True)),
        day_ahead=day_ahead[0],
        demand_mw=market.demand_forecast(newest_ms),
        temperature_c=market.temperature(),
    )


def targets(as_of_ms: int) -> tuple[Target, ...]:
    """The coming intervals."""
    return tuple(Target(h, as_of_ms + h * INTERVAL_MS) for h in range(HORIZONS))


def bases(known: Recent) -> tuple[float, ...]:
    """The compressed price of each horizon that the model's output is an offset to.

    The day-ahead price plus the newest spread, which halves every `SPREAD_HALF_LIFE` intervals.
    """
    return tuple(
        _day_ahead(known, target)
        + 0.5 ** ((target.horizon + 0.5) / SPREAD_HALF_LIFE)
        * (known.prices[0] - _day_ahead(known, target))
        for target in targets(known.market.as_of_ms)
    )


Feature = Callable[[Recent, Target], float]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def _price_lag(lag: int) -> Feature:
    return lambda r, _t: r.prices[lag]


def _spread_lag(lag: int) -> Feature:
    return lambda r, _t: r.spreads[lag]


def _roughness(r: Recent, _t: Target) -> float:
    return mean([abs(a - b) for a, b in zip(r.prices, r.prices[1:], strict=False)])


def _day_ahead(r: Recent, t: Target, hours: int = 0) -> float:
    return compress(r.market.day_ahead(t.start_ms + hours * HOUR_MS))


def _demand_mw(r: Recent, t: Target, hours: int = 0) -> float:
    return r.market.demand_forecast(t.start_ms + hours * HOUR_MS)


FEATURES: tuple[tuple[str, Feature], ...] = (
    ("horizon", lambda _r, t: t.horizon),
    ("quarter_of_day", lambda _r, t: quarter_of_day(central_time(t.start_ms))),
    ("quarter_of_hour", lambda _r, t: quarter_of_day(central_time(t.start_ms)) % 4),
    ("weekday", lambda _r, t: central_time(t.start_ms).weekday()),
    *((f"price_lag_{lag}", _price_lag(lag)) for lag in range(8)),
    *((f"spread_lag_{lag}", _spread_lag(lag)) for lag in range(4)),
    ("price_mean_1h", lambda r, _t: mean(r.prices[:4])),
    ("price_mean_4h", lambda r, _t: mean(r.prices)),
    ("price_max_2h", lambda r, _t: max(r.prices[:8])),
    ("price_min_2h", lambda r, _t: min(r.prices[:8])),
    ("price_max_4h", lambda r, _t: max(r.prices)),
    ("price_min_4h", lambda r, _t: min(r.prices)),
    ("price_step", lambda r, _t: r.prices[0] - r.prices[1]),
    ("price_roughness_4h", _roughness),
    ("spread_mean_1h", lambda r, _t: mean(r.spreads[:4])),
    ("spread_mean_4h", lambda r, _t: mean(r.spreads)),
    ("day_ahead", _day_ahead),
    ("day_ahead_hour_before", lambda r, t: _day_ahead(r, t, -1)),
    ("day_ahead_hour_after", lambda r, t: _day_ahead(r, t, 1)),
    ("day_ahead_ramp", lambda r, t: _day_ahead(r, t) - r.day_ahead),
    ("day_ahead_max_4h", lambda r, t: max(_day_ahead(r, t, hours) for hours in range(4))),
    ("day_ahead_plus_spread", lambda r, t: _day_ahead(r, t) + r.spreads[0]),
    ("demand_forecast_gw", lambda r, t: _demand_mw(r, t) / 1000),
    ("demand_ramp_gw", lambda r, t: (_demand_mw(r, t, 1) - _demand_mw(r, t, -1)) / 1000),
    ("demand_change_gw", lambda r, t: (_demand_mw(r, t) - r.demand_mw) / 1000),
    ("temperature_c", lambda r, _t: r.temperature_c),
)

FEATURE_NAMES = tuple(name for name, _ in FEATURES)


def feature_rows(known: Recent) -> tuple[tuple[float, ...], ...]:
    """One row of float32 values a horizon, in the order of `FEATURES`."""
    return tuple(
        float32(tuple(function(known, target) for _, function in FEATURES))
        for target in targets(known.market.as_of_ms)
    )


def float32(values: Sequence[float]) -> tuple[float, ...]:
    """Each value rounded to IEEE 754 single precision, the precision that the model compares in."""
    form = f"{len(values)}f"
    return struct.unpack(form, struct.pack(form, *values))
