"""`/api/v1/sites/{id}/overview`, `/power` and `/alarms`: what the page shows of a site."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, Row, select

from controller.api.context import ContextDep
from controller.api.guard import Permit
from controller.api.problems import documented, not_found
from controller.api.times import From, To, span_ms
from controller.api.v1.alarms.responses import Alarm
from controller.api.v1.sites.responses import (
    PRICE_METRIC,
    DeviceNow,
    PowerPoint,
    SiteNow,
    SitePower,
)
from controller.api.v1.sites.routes import SiteId, SiteReader
from controller.fleet.readings import Span, latest, rolled
from controller.storage.tables import alarms, devices, nodes, sites
from shared.errors import BadInputError
from shared.time import from_ms

router = APIRouter(prefix="/sites", tags=["sites"])

SITE_KIND = "site"
"""Kind of the device under which a node reports its site as a whole."""

_DAY_MS = 86_400_000
_MOST_POINTS = 2_000
_MOST_ALARMS = 100
_NOT_FOUND = documented(HTTPStatus.NOT_FOUND)


@router.get("/{site_id}/overview", responses=_NOT_FOUND)
def read_overview(context: ContextDep, permit: SiteReader, site_id: SiteId) -> SiteNow:
    """The site and each of its devices, as last read."""
    now_ms = context.clock.now_ms()
    with context.storage.read() as conn:
        rows = _devices(conn, permit, site_id)
        readings = latest(conn, context.meanings, [row.id for row in rows])
    whole = [readings[row.id] for row in rows if row.kind == SITE_KIND and row.id in readings]
    shown = [DeviceNow.of(row, readings.get(row.id)) for row in rows if row.kind != SITE_KIND]
    return SiteNow.of(site_id, from_ms(now_ms), whole, shown)


@router.get("/{site_id}/power", responses=_NOT_FOUND)
def read_power(
    context: ContextDep, permit: SiteReader, site_id: SiteId, start: From = None, end: To = None
) -> SitePower:
    """The site's power and the price over time (the last day by default), as means over buckets
    wide enough to make at most 2,000 points."""
    now_ms = context.clock.now_ms()
    from_ms_, to_ms = span_ms(start, end)
    if end is None:
        to_ms = now_ms + 1
    if start is None:
        from_ms_ = max(0, to_ms - _DAY_MS)
    width_ms = _width_ms(to_ms - from_ms_)
    with context.storage.read() as conn:
        ids = [row.id for row in _devices(conn, permit, site_id) if row.kind == SITE_KIND]
        names = ("power_w", PRICE_METRIC)
        buckets = rolled(conn, ids, Span(from_ms_, to_ms), width_ms, names) if ids else []
    points: dict[int, PowerPoint] = {}
    for bucket in buckets:
        point = points.setdefault(bucket.start_ms, PowerPoint.at(bucket.start_ms))
        point.add(bucket)
    return SitePower(width_ms=width_ms, points=[points[at] for at in sorted(points)])


@router.get("/{site_id}/alarms", responses=_NOT_FOUND)
def read_alarms(context: ContextDep, permit: SiteReader, site_id: SiteId) -> list[Alarm]:
    """Alarms that are raised now, the newest 100."""
    with context.storage.read() as conn:
        _require(conn, permit, site_id)
        rows = conn.execute(
            select(alarms)
            .where(
                alarms.c.lowered_ms.is_(None),
                alarms.c.node.in_(select(nodes.c.name).where(nodes.c.site_id == site_id)),
            )
            .order_by(alarms.c.id.desc())
            .limit(_MOST_ALARMS)
        ).all()
    return [Alarm.of(row) for row in rows]


def _width_ms(span: int) -> int:
    for width_ms in (60_000, 300_000, 900_000, 3_600_000, _DAY_MS):
        if span // width_ms <= _MOST_POINTS:
            return width_ms
    raise BadInputError("query.from", "too long a span", f"at most {_MOST_POINTS} days")


def _require(conn: Connection, permit: Permit, site_id: str) -> None:
    known = select(sites.c.id).where(sites.c.id == site_id, permit.on_sites(sites.c.id))
    if conn.execute(known).one_or_none() is None:
        raise not_found("site", site_id)


def _devices(conn: Connection, permit: Permit, site_id: str) -> Sequence[Row[Any]]:
    _require(conn, permit, site_id)
    return conn.execute(
        select(devices)
        .join(nodes, nodes.c.name == devices.c.node)
        .where(nodes.c.site_id == site_id, devices.c.declared)
        .order_by(devices.c.kind, devices.c.name)
    ).all()
