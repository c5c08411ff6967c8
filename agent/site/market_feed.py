"""The price feed's document, and what the agent keeps of it. Pure.

A feed is JSON over HTTP, made for this suite (a converter of the market's own reports serves it):

    {"settlement_point": "HB_HUBAVG", "interval_minutes": 15,
     "real_time":          [{"start": "2024-05-08T12:00:00Z", "price_usd_per_mwh": "21.82"}, ...],
     "day_ahead":          [{"start": ..., "price_usd_per_mwh": "19.74"}, ...],
     "demand_forecast_mw": [{"start": ..., "value": 52197.6}, ...],
     "temperature_c":      [{"start": ..., "value": 23.45}, ...]}

Prices are decimal text, never JSON numbers. `start` is ISO 8601 with its offset and begins an
interval of `interval_minutes` (15); an hourly value is given for each of its intervals. `real_time`
holds published prices; the other three lists may be absent and may reach into the future.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from agent.site.situation import Price
from shared.errors import BadInputError
from shared.messages import cbor
from shared.price.market import INTERVAL_MS, MarketHistory, MarketInterval
from shared.time import to_ms

MAX_FEED_BYTES = 1024 * 1024
MAX_ROWS = 2_000
KEEP_MS = 3 * 86_400_000
"""What lies further back is forgotten: the model looks back one day and a few hours."""

_DECIMAL = re.compile(r"-?\d{1,6}(\.\d{1,8})?")
_INTERVAL_MINUTES = INTERVAL_MS // 60_000


@dataclass(frozen=True, slots=True)
class Feed:
    """One document, parsed: exact prices and what the forecast needs, by start."""

    settlement_point: str
    real_time: Mapping[int, Decimal]
    intervals: Mapping[int, MarketInterval]


def parse_feed(body: bytes) -> Feed:
    """Reads a document; `BadInputError` names the field that breaks the format."""
    if len(body) > MAX_FEED_BYTES:
        raise BadInputError("feed", f"{len(body)} bytes", f"at most {MAX_FEED_BYTES} bytes")
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInputError("feed", f"not JSON: {error}"[:120], "a JSON object") from error
    fields = cbor.expect_map(document, "feed")
    cbor.expect_int(
        cbor.take(fields, "interval_minutes"),
        "interval_minutes",
        _INTERVAL_MINUTES,
        _INTERVAL_MINUTES,
    )
    real_time = {start: _price(row, "real_time") for start, row in _rows(fields, "real_time")}
    day_ahead = {start: _price(row, "day_ahead") for start, row in _rows(fields, "day_ahead", ())}
    demand = {
        s: _number(r, "demand_forecast_mw") for s, r in _rows(fields, "demand_forecast_mw", ())
    }
    temperature = {s: _number(r, "temperature_c") for s, r in _rows(fields, "temperature_c", ())}
    intervals = {
        start: MarketInterval(
            start,
            _float(real_time.get(start)),
            _float(day_ahead.get(start)),
            demand.get(start),
            temperature.get(start),
        )
        for start in sorted({*real_time, *day_ahead, *demand, *temperature})
    }
    point = cbor.expect_text(cbor.take(fields, "settlement_point"), "settlement_point", 60)
    return Feed(point, real_time, intervals)


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of the market, from all documents so far."""

    real_time: Mapping[int, Decimal] = field(default_factory=dict)
    intervals: Mapping[int, MarketInterval] = field(default_factory=dict)

    def with_feed(self, feed: Feed, now_ms: int) -> "Market":
        """With a document merged in: what it states replaces, what it omits stays, the old goes."""
        oldest_ms = now_ms - KEEP_MS
        intervals = dict(self.intervals)
        for start, stated in feed.intervals.items():
            kept = intervals.get(start)
            intervals[start] = stated if kept is None else _merged(kept, stated)
        real_time = {**self.real_time, **feed.real_time}
        return Market(
            {start: price for start, price in real_time.items() if start >= oldest_ms},
            {start: row for start, row in intervals.items() if start >= oldest_ms},
        )

    def last_price(self, now_ms: int) -> Price | None:
        """The newest published price of an interval that has begun; None when there is none."""
        begun = [start for start in self.real_time if start <= now_ms]
        if not begun:
            return None
        start = max(begun)
        return Price(start, start + INTERVAL_MS, self.real_time[start])

    @property
    def history(self) -> MarketHistory:
        """As the forecast takes it."""
        return MarketHistory(self.intervals)


def _merged(kept: MarketInterval, stated: MarketInterval) -> MarketInterval:
    changes: dict[str, Any] = {
        name: value
        for name in (
            "real_time_usd_per_mwh",
            "day_ahead_usd_per_mwh",
            "demand_forecast_mw",
            "temperature_c",
        )
        if (value := getattr(stated, name)) is not None
    }
    return replace(kept, **changes)


def _rows(
    fields: Mapping[str, Any], name: str, default: object = None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if name not in fields and default is not None:
        return
    seen: set[int] = set()
    for row in cbor.expect_list(cbor.take(fields, name), name, MAX_ROWS):
        entry = cbor.expect_map(row, name)
        start_ms = _start(entry, name)
        if start_ms in seen:
            raise BadInputError(f"{name}.start", f"{entry['start']} twice", "one row an interval")
        seen.add(start_ms)
        yield start_ms, entry


def _start(entry: Mapping[str, Any], name: str) -> int:
    text = cbor.expect_text(cbor.take(entry, "start"), f"{name}.start", 40)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{name}.start", repr(text), "ISO 8601 with its offset") from error
    start_ms = to_ms(moment)
    if start_ms % INTERVAL_MS or start_ms < 0:
        raise BadInputError(f"{name}.start", repr(text), "the beginning of a quarter of an hour")
    return start_ms


def _price(entry: Mapping[str, Any], name: str) -> Decimal:
    text = cbor.take(entry, "price_usd_per_mwh")
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise BadInputError(
            f"{name}.price_usd_per_mwh", repr(text)[:40], 'decimal text such as "21.82"'
        )
    return Decimal(text)


def _number(entry: Mapping[str, Any], name: str) -> float:
    value = cbor.take(entry, "value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInputError(f"{name}.value", repr(value)[:40], "a number")
    return float(value)


def _float(price: Decimal | None) -> float | None:
    """For the model only, whose inputs are floats; what is paid is reckoned from the Decimal."""
    return None if price is None else float(price)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
