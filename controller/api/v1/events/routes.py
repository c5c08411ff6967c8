"""`/api/v1/events`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import select, tuple_

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import documented, not_found
from controller.api.times import From, To, span_ms
from controller.api.v1.events.responses import NodeEvent
from controller.fleet.event_content import RowKind
from controller.storage.tables import events, nodes

router = APIRouter(prefix="/events", tags=["events"])

EventReader = Annotated[Permit, Depends(Needs(Permission.EVENTS_READ))]


@router.get("", summary="Events, newest first")
def list_events(  # noqa: PLR0913 - each filter is a query parameter
    context: ContextDep,
    permit: EventReader,
    *,
    site: Annotated[str | None, Query(max_length=63)] = None,
    node: Annotated[str | None, Query(max_length=63)] = None,
    device: Annotated[str | None, Query(max_length=63)] = None,
    kind: RowKind | None = None,
    start: From = None,
    end: To = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[NodeEvent]:
    """Events by their own time, newest first."""
    after = decode_cursor(cursor, int, int)
    from_ms, to_ms = span_ms(start, end)
    query = (
        select(events)
        .where(events.c.time_ms >= from_ms, events.c.time_ms < to_ms)
        .order_by(events.c.time_ms.desc(), events.c.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(events.c.time_ms, events.c.id) < tuple_(*after))
    query = query.where(permit.on_nodes(events.c.node))
    if site is not None:
        query = query.where(events.c.node.in_(select(nodes.c.name).where(nodes.c.site_id == site)))
    for column, wanted in ((events.c.node, node), (events.c.device, device), (events.c.kind, kind)):
        if wanted is not None:
            query = query.where(column == str(wanted))
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, NodeEvent.of, lambda row: [row.time_ms, row.id])


@router.get("/{event_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_event(
    context: ContextDep, permit: EventReader, event_id: Annotated[int, Path(ge=1, lt=2**63)]
) -> NodeEvent:
    """One event."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(events).where(events.c.id == event_id, permit.on_nodes(events.c.node))
        ).one_or_none()
    if row is None:
        raise not_found("event", event_id)
    return NodeEvent.of(row)
