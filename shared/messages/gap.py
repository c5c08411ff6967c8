"""Gap reports: a range of telemetry rows that the agent dropped, and what stands for them.

Within a reported range roll-ups use these aggregates only, also for rows of the range that had
been committed before, so that nothing counts twice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor

MAX_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Of one numeric metric in one bucket; count is of known values only."""

    count: int
    minimum: float
    maximum: float
    total: float

    def merge(self, other: "Aggregate") -> "Aggregate":
        """Both together."""
        return Aggregate(
            self.count + other.count,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.total + other.total,
        )

    @classmethod
    def of(cls, value: float) -> "Aggregate":
        """Of a single value."""
        return cls(1, value, value, value)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Aggregates of one device over [start_ms, start_ms + width_ms) by metric alias."""

    device: int
    start_ms: int
    metrics: Mapping[int, Aggregate]


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows first..last of `stream` (one birth) are gone. `width_ms` is 60,000 unless coarsened."""

    stream: int
    birth: int
    first: int
    last: int
    from_ms: int
    to_ms: int
    reason: str
    width_ms: int
    buckets: tuple[Bucket, ...]

    def to_data(self) -> dict[str, Any]:
        """The data of a `gap` event."""
        return {
            "birth": self.birth,
            "buckets": [
                [
                    b.device,
                    b.start_ms,
                    {a: [m.count, m.minimum, m.maximum, m.total] for a, m in b.metrics.items()},
                ]
                for b in self.buckets
            ],
            "first": self.first,
            "from_ms": self.from_ms,
            "last": self.last,
            "reason": self.reason,
            "stream": self.stream,
            "to_ms": self.to_ms,
            "width_ms": self.width_ms,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Gap":
        """Reads the data of a `gap` event; `BadInputError` when it breaks the form."""
        first = cbor.expect_int(cbor.take(data, "first"), "first", 1)
        buckets = cbor.expect_list(cbor.take(data, "buckets"), "buckets", MAX_BUCKETS)
        return cls(
            stream=cbor.expect_int(cbor.take(data, "stream"), "stream"),
            birth=cbor.expect_int(cbor.take(data, "birth"), "birth", 1),
            first=first,
            last=cbor.expect_int(cbor.take(data, "last"), "last", first),
            from_ms=cbor.expect_int(cbor.take(data, "from_ms"), "from_ms"),
            to_ms=cbor.expect_int(cbor.take(data, "to_ms"), "to_ms"),
            reason=cbor.expect_text(cbor.take(data, "reason"), "reason"),
            width_ms=cbor.expect_int(cbor.take(data, "width_ms"), "width_ms", 60_000, 86_400_000),
            buckets=tuple(_bucket(row) for row in buckets),
        )


def _bucket(row: object) -> Bucket:
    match row:
        case [int(device), int(start_ms), dict(metrics)]:
            return Bucket(device, start_ms, {_alias(a): _aggregate(m) for a, m in metrics.items()})
    raise BadInputError("buckets", repr(row)[:80], "[device, start_ms, {alias: aggregate}]")


def _alias(alias: object) -> int:
    return cbor.expect_int(alias, "buckets.alias")


def _aggregate(row: object) -> Aggregate:
    match row:
        case [
            int(count),
            int() | float() as low,
            int() | float() as high,
            int() | float() as total,
        ]:
            if count >= 1 and low <= high and all(map(math.isfinite, (low, high, total))):
                return Aggregate(count, float(low), float(high), float(total))
    raise BadInputError("buckets.aggregate", repr(row)[:80], "[count >= 1, min, max, sum], finite")
