"""`/api/v1/retention`."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from sqlalchemy import select, update

from controller.api.context import ActorDep, ContextDep
from controller.api.preconditions import IfMatch, changed, etag, expected_version
from controller.api.problems import documented, not_found
from controller.api.v1.retention.requests import RetentionChange
from controller.api.v1.retention.responses import Retention
from controller.audit.leaves import queue_leaf
from controller.retention.classes import DataClass
from controller.storage.tables import retention

router = APIRouter(prefix="/retention", tags=["retention"])

_DAY_MS = 86_400_000


@router.get("", summary="How long each class is kept")
def list_retention(context: ContextDep) -> list[Retention]:
    """Every class that has a limit."""
    with context.storage.read() as conn:
        rows = conn.execute(select(retention).order_by(retention.c.data_class)).all()
    return [Retention.of(row) for row in rows]


@router.get("/{data_class}", responses=documented(HTTPStatus.NOT_FOUND))
def read_retention(context: ContextDep, data_class: DataClass, response: Response) -> Retention:
    """One class, with its ETag."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(retention).where(retention.c.data_class == data_class)
        ).one_or_none()
    if row is None:
        raise not_found("retention of class", data_class)
    response.headers["ETag"] = etag(row.version)
    return Retention.of(row)


@router.put(
    "/{data_class}",
    responses=documented(
        HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED
    ),
)
def change_retention(
    context: ContextDep,
    actor: ActorDep,
    data_class: DataClass,
    change: RetentionChange,
    response: Response,
    if_match: IfMatch = None,
) -> Retention:
    """Sets how long a class is kept, if it is still as the client saw it."""
    version = expected_version(if_match)
    now_ms = context.clock.now_ms()
    keep_ms = None if change.keep_days is None else change.keep_days * _DAY_MS
    with context.storage.write() as conn:
        known = select(retention.c.version).where(retention.c.data_class == data_class)
        if conn.execute(known).one_or_none() is None:
            raise not_found("retention of class", data_class)
        row = conn.execute(
            update(retention)
            .where(retention.c.data_class == data_class, retention.c.version == version)
            .values(keep_ms=keep_ms, updated_ms=now_ms, version=version + 1)
            .returning(*retention.c)
        ).one_or_none()
        if row is None:
            raise changed()
        queue_leaf(
            conn,
            kind="retention.changed",
            actor=actor,
            subject=data_class,
            data={"keep_days": change.keep_days, "version": row.version},
            now_ms=now_ms,
        )
    response.headers["ETag"] = etag(row.version)
    return Retention.of(row)
