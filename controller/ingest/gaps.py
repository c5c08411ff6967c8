"""Gap reports: the range is marked, its aggregates stored, its roll-ups to be made anew."""

from sqlalchemy import Connection, insert

from controller.fleet.aggregate import Aggregates, include, to_bytes
from controller.fleet.meaning import Meaning
from controller.fleet.streams import StreamKind, check_owner, lock_streams, store_gaps
from controller.storage.tables import gap_buckets, gaps
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.gap import Gap
from shared.ranges import RangeSet

_MOST_PROBLEM = 200
UNREAD = "its aggregates cannot be used"
OVERLAP = "overlaps a range reported before; its aggregates are not used"


def take_gap(
    conn: Connection,
    node: str,
    gap: Gap,
    meaning: Meaning,
    received_ms: int,
    unread: str | None = None,
) -> str | None:
    """Stores a report; returns why its aggregates are not used, None when they are.

    A range may be reported once: of reports that overlap the first counts, or the same rows would
    count twice. Aggregates that could not be read (`unread` says why) or that name what the birth
    lacks are not used either; rows of the range that are committed go on counting then, for
    nothing stands in their place. `BadInputError` when the stream is not this node's telemetry.
    """
    state = lock_streams(conn, [gap.stream]).get(gap.stream)
    if state is None:
        raise BadInputError("stream", f"{gap.stream}", "a stream that the birth named")
    check_owner(state, node, StreamKind.TELEMETRY)
    reported = RangeSet(((gap.first, gap.last),))
    gone, rows = reported, list[dict[str, object]]()
    problem = OVERLAP if state.gaps.intersection(reported) else None
    if problem is None:
        try:
            rows = _bucket_rows(gap, meaning)
        except BadInputError as error:
            unread = str(error)
        if unread is not None:
            problem = f"{UNREAD}: {unread}".replace("\x00", "")[:_MOST_PROBLEM]
            gone = reported.difference(state.committed)
    gap_id = conn.scalar(
        insert(gaps)
        .values(
            node=node,
            stream=gap.stream,
            birth=gap.birth,
            first=gap.first,
            last=gap.last,
            from_ms=gap.from_ms,
            to_ms=gap.to_ms,
            width_ms=gap.width_ms,
            reason=gap.reason,
            body=cbor.encode(gap.to_data()),
            received_ms=received_ms,
            problem=problem,
        )
        .returning(gaps.c.id)
    )
    if rows:
        conn.execute(insert(gap_buckets), [{"gap_id": gap_id, **row} for row in rows])
    store_gaps(conn, gap.stream, state.gaps.union(gone))
    return problem


def _bucket_rows(gap: Gap, meaning: Meaning) -> list[dict[str, object]]:
    merged: dict[tuple[int, int], Aggregates] = {}
    for bucket in gap.buckets:
        device_id = meaning.devices.get(bucket.device)
        if device_id is None:
            raise BadInputError("buckets.device", f"alias {bucket.device}", "an alias of the birth")
        into = merged.setdefault((device_id, bucket.start_ms), {})
        for alias, aggregate in bucket.metrics.items():
            metric = meaning.metric_ids.get(alias)
            if metric is None:
                raise BadInputError("buckets.metrics", f"alias {alias}", "an alias of the birth")
            include(into, metric, aggregate)
    return [
        {
            "device_id": device_id,
            "start_ms": start_ms,
            "width_ms": gap.width_ms,
            "body": to_bytes(aggregates),
        }
        for (device_id, start_ms), aggregates in merged.items()
    ]
