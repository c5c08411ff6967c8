"""`/api/v1/retention`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from controller.access.approvals.keys import Owner
from controller.access.approvals.requests import note_token
from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.preconditions import IfMatch, changed, etag, expected_version
from controller.api.problems import documented, not_found
from controller.api.v1.approvals.responses import AwaitedApproval
from controller.api.v1.approvals.routes import refusals_told
from controller.api.v1.retention.requests import RetentionChange
from controller.api.v1.retention.responses import Retention
from controller.retention.classes import DataClass
from controller.retention.settings import DAY_MS, POLICY, ask_keep, change_keep, kept
from controller.storage.tables import retention

router = APIRouter(prefix="/retention", tags=["retention"])

RetentionReader = Annotated[Permit, Depends(Needs(Permission.RETENTION_READ))]
RetentionChanger = Annotated[Permit, Depends(Needs(Permission.RETENTION_CHANGE))]


@router.get("", summary="How long each class is kept")
def list_retention(context: ContextDep, _permit: RetentionReader) -> list[Retention]:
    """Every class that has a limit."""
    with context.storage.read() as conn:
        rows = conn.execute(select(retention).order_by(retention.c.data_class)).all()
    return [Retention.of(row) for row in rows]


@router.get("/{data_class}", responses=documented(HTTPStatus.NOT_FOUND))
def read_retention(
    context: ContextDep, _permit: RetentionReader, data_class: DataClass, response: Response
) -> Retention:
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
    response_model=Retention,
    responses={
        HTTPStatus.ACCEPTED: {
            "description": "The change needs other people's approval, and is made with the last",
            "model": AwaitedApproval,
        },
        **documented(
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.PRECONDITION_FAILED,
            HTTPStatus.PRECONDITION_REQUIRED,
        ),
    },
)
def change_retention(
    context: ContextDep,
    permit: RetentionChanger,
    data_class: DataClass,
    change: RetentionChange,
    response: Response,
    if_match: IfMatch = None,
) -> Retention | Response:
    """Sets how long a class is kept, if it is still as the client saw it. Where `[approvals]` asks
    for it, the change is put before its approvers instead."""
    version = expected_version(if_match)
    keep_ms = None if change.keep_days is None else change.keep_days * DAY_MS
    rule = context.approvals.config.policy_rule(POLICY)
    with refusals_told(), context.storage.write() as conn:
        row = kept(conn, data_class)
        if row.version != version:
            raise changed()
        if rule is not None:
            asking = Owner(permit.caller.user_id, permit.caller.name, permit.actor)
            request_id = ask_keep(conn, context.clock, rule, asking, row, keep_ms)
            note_token(conn, request_id, permit.caller.token_id)
            return _awaited(request_id)
        row = change_keep(conn, context.clock, row, keep_ms, permit.actor)
    response.headers["ETag"] = etag(row.version)
    return Retention.of(row)


def _awaited(request_id: str) -> Response:
    location = {"Location": f"/api/v1/approvals/{request_id}"}
    content = AwaitedApproval(approval=request_id).model_dump()
    return JSONResponse(content, HTTPStatus.ACCEPTED, location)
