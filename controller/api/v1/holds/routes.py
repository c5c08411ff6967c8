"""`/api/v1/legal-holds`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import Connection, insert, select, update

from controller.access.permissions import Permission
from controller.api.context import Context, ContextDep
from controller.api.guard import Needs, Permit
from controller.api.idempotency import Attempt, BodyDigest, IdempotencyKey, Made, once
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.preconditions import IfMatch, changed, etag, expected_version
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.holds.requests import HoldChange, NewHold
from controller.api.v1.holds.responses import Hold
from controller.audit import Personal, queue_leaf
from controller.storage.tables import legal_holds, nodes
from shared.errors import BadInputError
from shared.time import to_ms

router = APIRouter(prefix="/legal-holds", tags=["retention"])

HoldReader = Annotated[Permit, Depends(Needs(Permission.HOLDS_READ))]
HoldChanger = Annotated[Permit, Depends(Needs(Permission.HOLDS_CHANGE))]
HoldId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", summary="Legal holds, newest first")
def list_holds(
    context: ContextDep, _permit: HoldReader, limit: Limit = 50, cursor: Cursor = None
) -> Page[Hold]:
    """Every hold, released ones too."""
    after = decode_cursor(cursor, int)
    query = select(legal_holds).order_by(legal_holds.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(legal_holds.c.id < after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Hold.of, lambda row: [row.id])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=Hold,
    responses=documented(HTTPStatus.CONFLICT),
)
def create_hold(
    context: ContextDep,
    permit: HoldChanger,
    new: NewHold,
    request: Request,
    key: IdempotencyKey,
    digest: BodyDigest,
) -> Response:
    """Puts data under a hold."""
    attempt = Attempt(permit.actor, key, request.method, request.url.path, digest)
    with context.storage.write() as conn:
        return once(
            conn, attempt, context.clock.now_ms(), lambda: _create(context, conn, permit.actor, new)
        )


def _create(context: Context, conn: Connection, actor: str, new: NewHold) -> Made:
    now_ms = context.clock.now_ms()
    if (
        new.node is not None
        and not conn.execute(select(nodes.c.name).where(nodes.c.name == new.node)).first()
    ):
        raise ProblemError(HTTPStatus.CONFLICT, f"there is no node {new.node!r}")
    from_ms = None if new.start is None else to_ms(new.start)
    until_ms = None if new.end is None else to_ms(new.end)
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        raise BadInputError("body.end", "not after `start`", "a time after `start`")
    row = conn.execute(
        insert(legal_holds)
        .values(
            data_class=new.data_class,
            node=new.node,
            from_ms=from_ms,
            to_ms=until_ms,
            reason=new.reason,
            actor=actor,
            created_ms=now_ms,
        )
        .returning(*legal_holds.c)
    ).one()
    hold = Hold.of(row)
    queue_leaf(
        conn,
        kind="hold.created",
        actor=actor,
        subject=str(row.id),
        data=hold.model_dump(mode="json") | {"reason": Personal("reason", new.reason)},
        now_ms=now_ms,
    )
    return Made(hold, f"/api/v1/legal-holds/{row.id}")


@router.get("/{hold_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_hold(
    context: ContextDep, _permit: HoldReader, hold_id: HoldId, response: Response
) -> Hold:
    """One hold, with its ETag."""
    with context.storage.read() as conn:
        row = conn.execute(select(legal_holds).where(legal_holds.c.id == hold_id)).one_or_none()
    if row is None:
        raise not_found("legal hold", hold_id)
    response.headers["ETag"] = etag(row.version)
    return Hold.of(row)


@router.patch(
    "/{hold_id}",
    responses=documented(
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.PRECONDITION_REQUIRED,
    ),
)
def release_hold(
    context: ContextDep,
    permit: HoldChanger,
    hold_id: HoldId,
    change: HoldChange,
    response: Response,
    if_match: IfMatch = None,
) -> Hold:
    """Releases a hold, if it is still as the client saw it."""
    version = expected_version(if_match)
    now_ms = context.clock.now_ms()
    with context.storage.write() as conn:
        row = conn.execute(select(legal_holds).where(legal_holds.c.id == hold_id)).one_or_none()
        if row is None:
            raise not_found("legal hold", hold_id)
        if row.version != version:
            raise changed()
        if row.released_ms is not None or not change.released:
            raise ProblemError(HTTPStatus.CONFLICT, "a hold is released once and for good")
        row = conn.execute(
            update(legal_holds)
            .where(legal_holds.c.id == hold_id, legal_holds.c.version == version)
            .values(released_ms=now_ms, version=version + 1)
            .returning(*legal_holds.c)
        ).one_or_none()
        if row is None:
            raise changed()
        queue_leaf(
            conn,
            kind="hold.released",
            actor=permit.actor,
            subject=str(hold_id),
            data={},
            now_ms=now_ms,
        )
    response.headers["ETag"] = etag(row.version)
    return Hold.of(row)
