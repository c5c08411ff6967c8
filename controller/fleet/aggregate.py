"""Aggregates of numeric metrics over buckets of time. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import cbor2

from shared.measured import Scalar, Unknown
from shared.messages import cbor
from shared.messages.gap import Aggregate

Aggregates: TypeAlias = dict[int, Aggregate]
"""By metric id; a metric that had no known value is absent."""

MINUTE_MS = 60_000
QUARTER_MS = 900_000
HOUR_MS = 3_600_000
WIDTHS = (MINUTE_MS, QUARTER_MS, HOUR_MS)
"""The widths that are stored; each is made of the one before."""


def bucket_start(time_ms: int, width_ms: int) -> int:
    """The start of the bucket that holds a time."""
    return time_ms - time_ms % width_ms


def stored_width(width_ms: int) -> int | None:
    """The narrowest stored width that can hold a bucket of this width; None if none can."""
    return next((width for width in WIDTHS if width_ms <= width), None)


def numbers(
    values: Mapping[int, Scalar | Unknown], metric_ids: Mapping[int, int]
) -> Iterable[tuple[int, float]]:
    """(metric id, value) of what can be averaged: finite numbers, neither text nor yes or no."""
    for alias, value in values.items():
        metric = metric_ids.get(alias)
        if metric is None or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value):
            yield metric, float(value)


def include(into: Aggregates, metric: int, more: Aggregate) -> None:
    """Merges one aggregate into `into`."""
    known = into.get(metric)
    into[metric] = more if known is None else known.merge(more)


def include_all(into: Aggregates, more: Mapping[int, Aggregate]) -> None:
    """Merges aggregates into `into`."""
    for metric, aggregate in more.items():
        include(into, metric, aggregate)


def to_bytes(aggregates: Mapping[int, Aggregate]) -> bytes:
    """The stored form: CBOR `{metric id: [count, minimum, maximum, sum]}`."""
    return cbor.encode({m: [a.count, a.minimum, a.maximum, a.total] for m, a in aggregates.items()})


def from_bytes(stored: bytes) -> Aggregates:
    """Reads the stored form."""
    return {
        metric: Aggregate(count, float(low), float(high), float(total))
        for metric, (count, low, high, total) in cbor2.loads(stored).items()
    }
