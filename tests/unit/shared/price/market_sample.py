"""A made-up market that several tests share: prices that swing over the day, with noise."""

import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from shared.price.market import INTERVAL_MS, MarketHistory, MarketInterval
from shared.time import to_ms

FIRST_DAY = date(2024, 6, 3)
DAY_MS = 96 * INTERVAL_MS


def day_start_ms(day: date) -> int:
    """Midnight UTC."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))


def sample_market(days: int, seed: int = 1) -> MarketHistory:
    """Complete intervals from `FIRST_DAY` on."""
    dice = random.Random(seed)
    first_ms = day_start_ms(FIRST_DAY)
    level = 0.0
    intervals = []
    for number in range(days * 96):
        hour = number // 4
        swing = 1 + math.sin(hour * math.tau / 24)
        level = 0.8 * level + dice.gauss(0, 3)
        intervals.append(
            MarketInterval(
                start_ms=first_ms + number * INTERVAL_MS,
                real_time_usd_per_mwh=20 + 15 * swing + level,
                day_ahead_usd_per_mwh=20 + 15 * swing,
                demand_forecast_mw=50_000 + 10_000 * swing,
                temperature_c=25 + 8 * math.sin((hour - 3) * math.tau / 24),
            )
        )
    return MarketHistory.of(intervals)


def changed(history: MarketHistory, start_ms: int, **values: float | None) -> MarketHistory:
    """The same history with some values of one interval replaced."""
    intervals = dict(history.intervals)
    intervals[start_ms] = replace(intervals[start_ms], **values)  # type: ignore[arg-type] # by name
    return MarketHistory(intervals)


def day_after(days: int) -> date:
    """The date so many days after the first."""
    return FIRST_DAY + timedelta(days=days)
