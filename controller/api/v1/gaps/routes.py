"""`/api/v1/gaps`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.v1.gaps.responses import Gap
from controller.storage.tables import gaps

router = APIRouter(prefix="/gaps", tags=["devices"])

GapReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]


@router.get("", summary="Gap reports, newest first")
def list_gaps(
    context: ContextDep,
    permit: GapReader,
    node: Annotated[str | None, Query(max_length=63)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Gap]:
    """Ranges of rows that nodes reported as dropped."""
    after = decode_cursor(cursor, int)
    query = select(gaps).order_by(gaps.c.id.desc()).limit(limit + 1)
    query = query.where(permit.on_nodes(gaps.c.node))
    if node is not None:
        query = query.where(gaps.c.node == node)
    if after is not None:
        query = query.where(gaps.c.id < after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Gap.of, lambda row: [row.id])
