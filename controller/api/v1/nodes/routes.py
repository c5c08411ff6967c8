"""`/api/v1/nodes`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import select

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import documented, not_found
from controller.api.v1.nodes.responses import Node
from controller.storage.tables import nodes

router = APIRouter(prefix="/nodes", tags=["nodes"])

NodeReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]


@router.get("", summary="Nodes by name")
def list_nodes(
    context: ContextDep,
    permit: NodeReader,
    site: Annotated[str | None, Query(max_length=63)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Node]:
    """The nodes, of one site or of all, in the order of their names."""
    after = decode_cursor(cursor, str)
    query = select(nodes).order_by(nodes.c.name).limit(limit + 1)
    query = query.where(permit.on_sites(nodes.c.site_id))
    if site is not None:
        query = query.where(nodes.c.site_id == site)
    if after is not None:
        query = query.where(nodes.c.name > after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Node.of, lambda row: [row.name])


@router.get("/{name}", responses=documented(HTTPStatus.NOT_FOUND))
def read_node(
    context: ContextDep, permit: NodeReader, name: Annotated[str, Path(max_length=63)]
) -> Node:
    """One node."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(nodes).where(nodes.c.name == name, permit.on_sites(nodes.c.site_id))
        ).one_or_none()
    if row is None:
        raise not_found("node", name)
    return Node.of(row)
