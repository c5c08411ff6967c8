"""`/api/v1/sites`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import select, update

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.preconditions import IfMatch, changed, etag, expected_version
from controller.api.problems import documented, not_found
from controller.api.v1.sites.requests import SiteChange
from controller.api.v1.sites.responses import Site
from controller.audit.leaves import queue_leaf
from controller.storage.tables import sites

router = APIRouter(prefix="/sites", tags=["sites"])

SiteReader = Annotated[Permit, Depends(Needs(Permission.FLEET_READ))]
SiteChanger = Annotated[Permit, Depends(Needs(Permission.FLEET_CHANGE))]
SiteId = Annotated[str, Path(max_length=63)]


@router.get("", summary="Sites by id")
def list_sites(
    context: ContextDep, permit: SiteReader, limit: Limit = 50, cursor: Cursor = None
) -> Page[Site]:
    """Every site, in the order of their ids."""
    after = decode_cursor(cursor, str)
    query = select(sites).order_by(sites.c.id).limit(limit + 1)
    query = query.where(permit.on_sites(sites.c.id))
    if after is not None:
        query = query.where(sites.c.id > after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Site.of, lambda row: [row.id])


@router.get("/{site_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_site(context: ContextDep, permit: SiteReader, site_id: SiteId, response: Response) -> Site:
    """One site, with its ETag."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(sites).where(sites.c.id == site_id, permit.on_sites(sites.c.id))
        ).one_or_none()
    if row is None:
        raise not_found("site", site_id)
    response.headers["ETag"] = etag(row.version)
    return Site.of(row)


@router.patch(
    "/{site_id}",
    responses=documented(
        HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED
    ),
)
def change_site(
    context: ContextDep,
    permit: SiteChanger,
    site_id: SiteId,
    change: SiteChange,
    response: Response,
    if_match: IfMatch = None,
) -> Site:
    """Renames a site, if it is still as the client saw it."""
    version = expected_version(if_match)
    with context.storage.write() as conn:
        known = select(sites.c.id).where(sites.c.id == site_id, permit.on_sites(sites.c.id))
        if conn.execute(known).one_or_none() is None:
            raise not_found("site", site_id)
        row = conn.execute(
            update(sites)
            .where(sites.c.id == site_id, sites.c.version == version)
            .values(name=change.name, version=version + 1)
            .returning(*sites.c)
        ).one_or_none()
        if row is None:
            raise changed()
        queue_leaf(
            conn,
            kind="site.changed",
            actor=permit.actor,
            subject=site_id,
            data={"name": change.name, "version": row.version},
            now_ms=context.clock.now_ms(),
        )
    response.headers["ETag"] = etag(row.version)
    return Site.of(row)
