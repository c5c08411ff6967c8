"""`/api/v1/alarms`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select, tuple_

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.v1.alarms.responses import Alarm
from controller.storage.tables import alarms

router = APIRouter(prefix="/alarms", tags=["alarms"])

AlarmReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]


@router.get("", summary="Alarms, newest first")
def list_alarms(
    context: ContextDep,
    permit: AlarmReader,
    node: Annotated[str | None, Query(max_length=63)] = None,
    device: Annotated[str | None, Query(max_length=63)] = None,
    raised: Annotated[bool | None, Query(description="Only those raised now, or lowered")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Alarm]:
    """Each raising of an alarm, newest first."""
    after = decode_cursor(cursor, int, int)
    query = select(alarms).order_by(alarms.c.raised_ms.desc(), alarms.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(tuple_(alarms.c.raised_ms, alarms.c.id) < tuple_(*after))
    query = query.where(permit.on_nodes(alarms.c.node))
    if node is not None:
        query = query.where(alarms.c.node == node)
    if device is not None:
        query = query.where(alarms.c.device == device)
    if raised is not None:
        lowered = alarms.c.lowered_ms
        query = query.where(lowered.is_(None) if raised else lowered.is_not(None))
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Alarm.of, lambda row: [row.raised_ms, row.id])
