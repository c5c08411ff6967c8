"""`/api/v1/devices`."""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection, Row, select

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, encode_cursor, page
from controller.api.problems import documented, not_found
from controller.api.times import From, To, span_ms
from controller.api.v1.devices.responses import BucketView, Device, ReadingView
from controller.fleet.aggregate import bucket_start
from controller.fleet.readings import Span, history, latest, next_bucket, rolled
from controller.storage.tables import devices, nodes

router = APIRouter(prefix="/devices", tags=["devices"])

DeviceReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]
DeviceId = Annotated[int, Path(ge=1, lt=2**63)]
MetricNames = Annotated[
    list[str] | None,
    Query(alias="metric", max_length=50, description="Only these; repeat it for several"),
]


class Resolution(StrEnum):
    """The width of a roll-up's buckets."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER_HOUR = "15m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def width_ms(self) -> int:
        """In milliseconds."""
        unit = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}[self.value[-1]]
        return int(self.value[:-1]) * unit


@router.get("", summary="Devices by id")
def list_devices(
    context: ContextDep,
    permit: DeviceReader,
    *,
    site: Annotated[str | None, Query(max_length=63)] = None,
    node: Annotated[str | None, Query(max_length=63)] = None,
    kind: Annotated[str | None, Query(max_length=20)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Device]:
    """Devices in the order in which they were first seen."""
    after = decode_cursor(cursor, int)
    query = select(devices).order_by(devices.c.id).limit(limit + 1)
    if after is not None:
        query = query.where(devices.c.id > after[0])
    query = query.where(permit.on_nodes(devices.c.node))
    if site is not None:
        query = query.where(devices.c.node.in_(select(nodes.c.name).where(nodes.c.site_id == site)))
    if node is not None:
        query = query.where(devices.c.node == node)
    if kind is not None:
        query = query.where(devices.c.kind == kind)
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Device.of, lambda row: [row.id])


@router.get("/{device_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_device(context: ContextDep, permit: DeviceReader, device_id: DeviceId) -> Device:
    """One device."""
    with context.storage.read() as conn:
        return Device.of(_known(conn, permit, device_id))


@router.get("/{device_id}/latest", responses=documented(HTTPStatus.NOT_FOUND))
def read_latest(
    context: ContextDep, permit: DeviceReader, device_id: DeviceId
) -> ReadingView | None:
    """The newest snapshot; null when there is none."""
    with context.storage.read() as conn:
        _known(conn, permit, device_id)
        reading = latest(conn, context.meanings, [device_id]).get(device_id)
    return None if reading is None else ReadingView.of(reading)


@router.get("/{device_id}/readings", responses=documented(HTTPStatus.NOT_FOUND))
def list_readings(  # noqa: PLR0913 - each filter is a query parameter
    context: ContextDep,
    permit: DeviceReader,
    device_id: DeviceId,
    *,
    metric: MetricNames = None,
    start: From = None,
    end: To = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingView]:
    """Snapshots as they were read, oldest first."""
    after = decode_cursor(cursor, int, str, int)
    from_ms, to_ms = span_ms(start, end)
    place = None if after is None else (int(after[0]), int(after[1]), int(after[2]))
    with context.storage.read() as conn:
        _known(conn, permit, device_id)
        span = Span(from_ms, to_ms, place)
        readings = history(conn, context.meanings, device_id, span, limit + 1)
    return page(
        readings,
        limit,
        lambda reading: ReadingView.of(reading, metric or ()),
        lambda reading: [reading.time_ms, str(reading.stream), reading.seq],
    )


@router.get("/{device_id}/rollups", responses=documented(HTTPStatus.NOT_FOUND))
def list_rollups(  # noqa: PLR0913 - each filter is a query parameter
    context: ContextDep,
    permit: DeviceReader,
    device_id: DeviceId,
    *,
    resolution: Resolution = Resolution.QUARTER_HOUR,
    metric: MetricNames = None,
    start: From = None,
    end: To = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[BucketView]:
    """Minimum, maximum and mean over buckets of time, oldest first; empty buckets are absent.

    A page spans `limit` buckets of time from the first that holds anything.
    """
    width_ms = resolution.width_ms
    after = decode_cursor(cursor, int)
    from_ms, to_ms = span_ms(start, end)
    if after is not None:
        from_ms = max(from_ms, int(after[0]))
    with context.storage.read() as conn:
        _known(conn, permit, device_id)
        first = next_bucket(conn, device_id, from_ms, to_ms)
        if first is None:
            return Page[BucketView](items=[], next_cursor=None)
        begin = bucket_start(first, width_ms)
        stop = min(to_ms, begin + limit * width_ms)
        buckets = rolled(conn, [device_id], Span(begin, stop), width_ms, metric or ())
        following = next_bucket(conn, device_id, stop, to_ms)
    return Page[BucketView](
        items=[BucketView.of(bucket) for bucket in buckets],
        next_cursor=None if following is None else encode_cursor([following]),
    )


def _known(conn: Connection, permit: Permit, device_id: int) -> Row[Any]:
    row = conn.execute(
        select(devices).where(devices.c.id == device_id, permit.on_nodes(devices.c.node))
    ).one_or_none()
    if row is None:
        raise not_found("device", device_id)
    return row
