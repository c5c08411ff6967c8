"""What clients are told about devices and what they said."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.times import told_by_node
from controller.fleet.readings import MetricValue, Reading, RolledBucket
from shared.measured import Reason, Unknown
from shared.time import from_ms


class Device(BaseModel):
    """A device of a node."""

    id: int
    node: str
    name: str
    kind: str
    family: str
    facts: dict[str, str] = Field(description="What it says of itself and its configuration does")
    declared: bool = Field(description="Whether its node still names it")
    first_seen: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> "Device":
        """From a row of `devices`."""
        return cls(
            id=row.id,
            node=row.node,
            name=row.name,
            kind=row.kind,
            family=row.family,
            facts=row.facts,
            declared=row.declared,
            first_seen=from_ms(row.first_seen_ms),
        )


class MetricView(BaseModel):
    """A value as read; where it is null, `unknown` says why."""

    value: float | int | bool | str | None
    unit: str
    unknown: str | None = Field(default=None, description="Reason code, null when known")


class ReadingView(BaseModel):
    """One snapshot; a metric that was not polled is absent."""

    time: datetime
    stream: str = Field(description="64-bit id, as text")
    seq: int
    metrics: dict[str, MetricView]

    @classmethod
    def of(cls, reading: Reading, names: Sequence[str] = ()) -> "ReadingView":
        """From a reading, all metrics or those named."""
        wanted = names or list(reading.values)
        return cls(
            time=told_by_node(reading.time_ms),
            stream=str(reading.stream),
            seq=reading.seq,
            metrics={n: _metric(reading.values[n]) for n in wanted if n in reading.values},
        )


class AggregateView(BaseModel):
    """Of the known values of one metric in one bucket."""

    count: int
    minimum: float
    maximum: float
    mean: float
    unit: str


class BucketView(BaseModel):
    """One bucket; a metric with no known number in it is absent."""

    start: datetime
    metrics: dict[str, AggregateView]

    @classmethod
    def of(cls, bucket: RolledBucket) -> "BucketView":
        """From a rolled bucket."""
        return cls(
            start=told_by_node(bucket.start_ms),
            metrics={
                name: AggregateView(
                    count=rolled.aggregate.count,
                    minimum=rolled.aggregate.minimum,
                    maximum=rolled.aggregate.maximum,
                    mean=rolled.aggregate.total / rolled.aggregate.count,
                    unit=rolled.unit,
                )
                for name, rolled in bucket.metrics.items()
            },
        )


def _metric(metric: MetricValue) -> MetricView:
    if isinstance(metric.value, Unknown):
        reason = metric.value.reason.name.lower()
        return MetricView(value=None, unit=metric.unit, unknown=reason)
    if isinstance(metric.value, float) and not math.isfinite(metric.value):
        return MetricView(value=None, unit=metric.unit, unknown=Reason.OUT_OF_RANGE.name.lower())
    return MetricView(value=metric.value, unit=metric.unit)
