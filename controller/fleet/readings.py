"""Readings of devices: the last ones, raw rows of a span, and roll-ups.

Every function reads inside the caller's transaction and is bounded by its `most` or its span.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_

from controller.fleet.aggregate import (
    HOUR_MS,
    WIDTHS,
    Aggregates,
    bucket_start,
    from_bytes,
    include,
)
from controller.fleet.meaning import Meaning, Meanings
from controller.storage.tables import devices, gap_buckets, metrics, rollups, telemetry
from shared.measured import Scalar, Unknown
from shared.messages.gap import Aggregate
from shared.messages.telemetry import decode_body

_MOST_IDS = 5_000
"""Devices in one query; far below what either database takes as parameters."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One value of a snapshot, with its unit ("" where it has none)."""

    value: Scalar | Unknown
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One snapshot of one device; `values` by metric name, what was not polled is absent."""

    device_id: int
    time_ms: int
    stream: int
    seq: int
    values: Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class RolledMetric:
    """A metric over one bucket; the mean is `aggregate.total / aggregate.count`."""

    aggregate: Aggregate
    unit: str


@dataclass(frozen=True, slots=True)
class RolledBucket:
    """One device over [start_ms, start_ms + width_ms)."""

    device_id: int
    start_ms: int
    width_ms: int
    metrics: Mapping[str, RolledMetric] = field(default_factory=dict)


def latest(conn: Connection, meanings: Meanings, device_ids: Sequence[int]) -> dict[int, Reading]:
    """The newest snapshot of each device that has one, in one query however many they are (and
    those of a birth that was not met before)."""
    newest: dict[int, Row[Any]] = {}
    for begin in range(0, len(device_ids), _MOST_IDS):
        for row in conn.execute(_newest_rows(device_ids[begin : begin + _MOST_IDS])):
            before = newest.get(row.device_id)
            if before is None or row.seq > before.seq:
                newest[row.device_id] = row
    return {
        device_id: _reading(row, _meaning(conn, meanings, row)) for device_id, row in newest.items()
    }


def _newest_rows(device_ids: Sequence[int]) -> Select[Any]:
    """Each device's rows of its newest time; both steps are look-ups in the same index."""
    time_ms = (
        select(func.max(telemetry.c.time_ms))
        .where(telemetry.c.device_id == devices.c.id)
        .scalar_subquery()
    )
    newest = (
        select(devices.c.id.label("device_id"), time_ms.label("time_ms"))
        .where(devices.c.id.in_(device_ids))
        .subquery("newest")
    )
    return select(telemetry).join(
        newest,
        and_(telemetry.c.device_id == newest.c.device_id, telemetry.c.time_ms == newest.c.time_ms),
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A time span [from_ms, to_ms); `after` is the (time_ms, stream, seq) to go on behind."""

    from_ms: int
    to_ms: int
    after: tuple[int, int, int] | None = None


def history(
    conn: Connection, meanings: Meanings, device_id: int, span: Span, most: int
) -> list[Reading]:
    """Snapshots of one device, oldest first, at most `most`."""
    place = (telemetry.c.time_ms, telemetry.c.stream, telemetry.c.seq)
    query = (
        select(telemetry)
        .where(
            telemetry.c.device_id == device_id,
            telemetry.c.time_ms >= span.from_ms,
            telemetry.c.time_ms < span.to_ms,
        )
        .order_by(*place)
        .limit(most)
    )
    if span.after is not None:
        query = query.where(tuple_(*place) > tuple_(*span.after))
    return [_reading(row, _meaning(conn, meanings, row)) for row in conn.execute(query)]


def rolled(
    conn: Connection,
    device_ids: Sequence[int],
    span: Span,
    width_ms: int,
    names: Sequence[str] = (),
) -> list[RolledBucket]:
    """Roll-ups by (start, device), of all metrics or of those named.

    `width_ms` is a multiple of a minute; it is made of the widest stored width that divides it.
    What a gap report tells only in wider buckets than that is left out of the narrower ones.
    """
    known = _metric_names(conn, names)
    stored = max(width for width in WIDTHS if width_ms % width == 0)
    merged: dict[tuple[int, int], Aggregates] = {}
    for device_id, start_ms, body in _stored(conn, device_ids, span, stored, width_ms):
        key = (bucket_start(start_ms, width_ms), device_id)
        bucket = merged.setdefault(key, {})
        for metric, aggregate in from_bytes(body).items():
            if metric in known:
                include(bucket, metric, aggregate)
    return [
        RolledBucket(device_id, start_ms, width_ms, _named(bucket, known))
        for (start_ms, device_id), bucket in sorted(merged.items())
        if bucket
    ]


def next_bucket(conn: Connection, device_id: int, from_ms: int, to_ms: int) -> int | None:
    """The start of the first minute in [from_ms, to_ms) that has roll-ups of a device."""
    start_ms: int | None = conn.scalar(
        select(func.min(rollups.c.start_ms)).where(
            rollups.c.device_id == device_id,
            rollups.c.width_ms == WIDTHS[0],
            rollups.c.start_ms >= from_ms,
            rollups.c.start_ms < to_ms,
        )
    )
    return start_ms


def _stored(
    conn: Connection, device_ids: Sequence[int], span: Span, stored: int, width_ms: int
) -> Iterator[tuple[int, int, bytes]]:
    for begin in range(0, len(device_ids), 500):
        some = device_ids[begin : begin + 500]
        yield from conn.execute(
            select(rollups.c.device_id, rollups.c.start_ms, rollups.c.body).where(
                rollups.c.device_id.in_(some),
                rollups.c.width_ms == stored,
                rollups.c.start_ms >= span.from_ms,
                rollups.c.start_ms < span.to_ms,
            )
        )
        if width_ms > HOUR_MS:
            wide = and_(gap_buckets.c.width_ms > HOUR_MS, gap_buckets.c.width_ms <= width_ms)
            yield from conn.execute(
                select(gap_buckets.c.device_id, gap_buckets.c.start_ms, gap_buckets.c.body).where(
                    gap_buckets.c.device_id.in_(some),
                    wide,
                    gap_buckets.c.start_ms >= span.from_ms,
                    gap_buckets.c.start_ms < span.to_ms,
                )
            )


def _metric_names(conn: Connection, names: Sequence[str]) -> dict[int, tuple[str, str]]:
    query = select(metrics.c.id, metrics.c.name, metrics.c.unit)
    if names:
        query = query.where(or_(*(metrics.c.name == name for name in names)))
    return {row.id: (row.name, row.unit) for row in conn.execute(query)}


def _named(bucket: Aggregates, known: Mapping[int, tuple[str, str]]) -> dict[str, RolledMetric]:
    """By name; a metric that changed its unit in the bucket shows the unit declared last."""
    named: dict[str, RolledMetric] = {}
    for metric in sorted(bucket):
        name, unit = known[metric]
        before = named.get(name)
        same = before is not None and before.unit == unit
        aggregate = before.aggregate.merge(bucket[metric]) if before and same else bucket[metric]
        named[name] = RolledMetric(aggregate, unit)
    return named


def _meaning(conn: Connection, meanings: Meanings, row: Row[Any]) -> Meaning:
    meaning = meanings.find(conn, row.stream, row.birth)
    if meaning is None:
        raise LookupError(f"telemetry of stream {row.stream} names birth {row.birth}, not stored")
    return meaning


def _reading(row: Row[Any], meaning: Meaning) -> Reading:
    values = {
        meaning.metrics[alias].name: MetricValue(value, meaning.metrics[alias].unit)
        for alias, value in decode_body(row.body).items()
        if alias in meaning.metrics
    }
    return Reading(row.device_id, row.time_ms, row.stream, row.seq, values)
