"""Roll-ups made of rows and gap reports, always anew for the minutes that were touched.

Late rows and gap reports touch their minutes like live ones. Nothing is added to what stands, so
that doing it twice, or in another order, gives the same figures.
"""

from collections.abc import Iterable
from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, true, update

from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.fleet.aggregate import (
    HOUR_MS,
    MINUTE_MS,
    QUARTER_MS,
    Aggregates,
    bucket_start,
    from_bytes,
    include,
    include_all,
    numbers,
    stored_width,
    to_bytes,
)
from controller.fleet.meaning import Meanings
from controller.fleet.streams import gaps_of
from controller.retention.classes import DataClass
from controller.storage.tables import (
    gap_buckets,
    gaps,
    ingested,
    lanes,
    retention,
    rollups,
    telemetry,
)
from controller.storage.upsert import upsert
from shared.messages.gap import Aggregate
from shared.messages.telemetry import decode_body
from shared.ranges import RangeSet

Touched: TypeAlias = set[tuple[int, int]]
"""(device id, start of the minute)."""

_BATCHES_A_ROUND = 50
_MINUTE = telemetry.c.time_ms - telemetry.c.time_ms % MINUTE_MS


def unrolled_nodes(conn: Connection) -> list[str]:
    """Nodes with batches or gap reports that are not in the roll-ups yet."""
    batches = select(ingested.c.node).where(ingested.c.rolled_ms.is_(None)).distinct()
    reports = select(gaps.c.node).where(gaps.c.rolled_ms.is_(None)).distinct()
    return sorted({*conn.scalars(batches), *conn.scalars(reports)})


def roll_node(conn: Connection, clock: Clock, meanings: Meanings, node: str) -> int:
    """Rolls up what came of a node; the number of roll-up rows written, 0 when another does it.

    The node's lane is locked first: of two replicas that roll one minute the second would
    otherwise overwrite newer figures with older ones.
    """
    lane = conn.execute(
        select(lanes)
        .where(lanes.c.purpose == "roll", lanes.c.node == node)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if lane is None:
        return 0
    batches = conn.execute(
        select(ingested)
        .where(ingested.c.node == node, ingested.c.rolled_ms.is_(None))
        .order_by(ingested.c.id)
        .limit(_BATCHES_A_ROUND)
    ).all()
    reports = conn.execute(
        select(gaps).where(gaps.c.node == node, gaps.c.rolled_ms.is_(None)).limit(_BATCHES_A_ROUND)
    ).all()
    touched: Touched = set()
    for batch in batches:
        within = and_(telemetry.c.time_ms >= batch.from_ms, telemetry.c.time_ms <= batch.to_ms)
        touched |= _minutes_of(conn, batch.stream, batch.first, batch.last, within)
    for report in reports:
        touched |= _minutes_of(conn, report.stream, report.first, report.last, true())
        starts = select(gap_buckets.c.device_id, gap_buckets.c.start_ms)
        for device_id, start_ms in conn.execute(starts.where(gap_buckets.c.gap_id == report.id)):
            touched.add((device_id, bucket_start(start_ms, MINUTE_MS)))
    floor_ms = _complete_from(conn, clock.now_ms())
    written = recompute(conn, meanings, {key for key in touched if key[1] >= floor_ms})
    now_ms = clock.now_ms()
    for table, rows in ((ingested, batches), (gaps, reports)):
        ids = [row.id for row in rows]
        if ids:
            conn.execute(update(table).where(table.c.id.in_(ids)).values(rolled_ms=now_ms))
    if written:
        record_change(conn, clock, ChangeKind.ROLLUP, node, "")
    return written


def _complete_from(conn: Connection, now_ms: int) -> int:
    """From when on everything that roll-ups are made of is there.

    Before, retention may have deleted rows or narrower roll-ups: what stands there stays.
    """
    made_of = [
        DataClass.TELEMETRY.value,
        DataClass.MINUTE_ROLLUPS.value,
        DataClass.QUARTER_HOUR_ROLLUPS.value,
    ]
    kept = conn.scalar(
        select(func.min(retention.c.keep_ms)).where(retention.c.data_class.in_(made_of))
    )
    return 0 if kept is None else bucket_start(now_ms - int(kept) + HOUR_MS, HOUR_MS)


def recompute(conn: Connection, meanings: Meanings, touched: Touched) -> int:
    """Writes the roll-ups of these device-minutes, and of the wider buckets that hold them."""
    minutes: dict[tuple[int, int], Aggregates] = {key: {} for key in touched}
    for device_id, low, high in _runs(touched):
        _add_rows(conn, meanings, minutes, (device_id, low, high))
    written = _finish(conn, MINUTE_MS, minutes)
    narrow = MINUTE_MS
    for width in (QUARTER_MS, HOUR_MS):
        wider: dict[tuple[int, int], Aggregates] = {
            (device_id, bucket_start(start_ms, width)): {} for device_id, start_ms in touched
        }
        for key, buckets in wider.items():
            _add_narrower(conn, buckets, key, narrow, width)
        written += _finish(conn, width, wider)
        narrow = width
    return written


def _minutes_of(
    conn: Connection, stream: int, first: int, last: int, within: ColumnElement[bool]
) -> Touched:
    rows = conn.execute(
        select(telemetry.c.device_id, _MINUTE)
        .where(telemetry.c.stream == stream, telemetry.c.seq.between(first, last), within)
        .distinct()
    )
    return {(device_id, start_ms) for device_id, start_ms in rows}


def _runs(touched: Touched) -> Iterable[tuple[int, int, int]]:
    """(device id, from, to) of touched minutes that lie side by side."""
    run: tuple[int, int, int] | None = None
    for device_id, start_ms in sorted(touched):
        if run is not None and run[0] == device_id and run[2] == start_ms:
            run = (device_id, run[1], start_ms + MINUTE_MS)
            continue
        if run is not None:
            yield run
        run = (device_id, start_ms, start_ms + MINUTE_MS)
    if run is not None:
        yield run


def _add_rows(
    conn: Connection,
    meanings: Meanings,
    minutes: dict[tuple[int, int], Aggregates],
    run: tuple[int, int, int],
) -> None:
    """Rows count unless they lie in a reported range, where the report's aggregates stand."""
    device_id, low, high = run
    rows = conn.execute(
        select(telemetry).where(
            telemetry.c.device_id == device_id,
            telemetry.c.time_ms >= low,
            telemetry.c.time_ms < high,
        )
    ).all()
    reported = gaps_of(conn, {row.stream for row in rows})
    for row in rows:
        if row.seq in reported.get(row.stream, RangeSet()):
            continue
        meaning = meanings.find(conn, row.stream, row.birth)
        if meaning is None:
            raise LookupError(f"telemetry of stream {row.stream} names birth {row.birth}")
        into = minutes[device_id, bucket_start(row.time_ms, MINUTE_MS)]
        for metric, value in numbers(decode_body(row.body), meaning.metric_ids):
            include(into, metric, Aggregate.of(value))


def _add_narrower(
    conn: Connection, into: Aggregates, key: tuple[int, int], narrow: int, width: int
) -> None:
    device_id, start_ms = key
    bodies = conn.scalars(
        select(rollups.c.body).where(
            rollups.c.device_id == device_id,
            rollups.c.width_ms == narrow,
            rollups.c.start_ms >= start_ms,
            rollups.c.start_ms < start_ms + width,
        )
    )
    for body in bodies:
        include_all(into, from_bytes(body))


def _finish(conn: Connection, width: int, made: dict[tuple[int, int], Aggregates]) -> int:
    """Adds what gap reports say in buckets of this width, and writes."""
    for (device_id, start_ms), into in made.items():
        reports = select(gap_buckets.c.width_ms, gap_buckets.c.body).where(
            gap_buckets.c.device_id == device_id,
            gap_buckets.c.start_ms >= start_ms,
            gap_buckets.c.start_ms < start_ms + width,
        )
        for reported_width, body in conn.execute(reports):
            if stored_width(reported_width) == width:
                include_all(into, from_bytes(body))
    upsert(
        conn,
        rollups,
        [
            {
                "device_id": device_id,
                "width_ms": width,
                "start_ms": start_ms,
                "body": to_bytes(aggregates),
            }
            for (device_id, start_ms), aggregates in made.items()
            if aggregates
        ],
        ["device_id", "width_ms", "start_ms"],
    )
    empty = [key for key, aggregates in made.items() if not aggregates]
    for device_id, start_ms in empty:
        conn.execute(
            delete(rollups).where(
                rollups.c.device_id == device_id,
                rollups.c.width_ms == width,
                rollups.c.start_ms == start_ms,
            )
        )
    return len(made)
