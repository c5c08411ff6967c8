"""`/api/v1/commands`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import Connection, select, tuple_

from controller.api.context import ActorDep, ContextDep
from controller.api.idempotency import Attempt, BodyDigest, IdempotencyKey, Made, once
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.commands.requests import NewCommand
from controller.api.v1.commands.responses import CommandView
from controller.errors import ConflictError, MissingError
from controller.fleet.command_life import CommandState
from controller.fleet.commands import CommandDesk, Order
from controller.storage.tables import commands
from shared.time import to_ms

router = APIRouter(prefix="/commands", tags=["commands"])


@router.get("", summary="Commands, newest first")
def list_commands(
    context: ContextDep,
    node: Annotated[str | None, Query(max_length=63)] = None,
    device: Annotated[str | None, Query(max_length=63)] = None,
    state: CommandState | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CommandView]:
    """Orders by the time of their issue, newest first."""
    after = decode_cursor(cursor, int, str)
    query = (
        select(commands)
        .order_by(commands.c.issued_at_ms.desc(), commands.c.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(commands.c.issued_at_ms, commands.c.id) < tuple_(*after))
    wanted = ((commands.c.node, node), (commands.c.device, device), (commands.c.state, state))
    for column, value in wanted:
        if value is not None:
            query = query.where(column == str(value))
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, CommandView.of, lambda row: [row.issued_at_ms, row.id])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=CommandView,
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
)
def create_command(
    context: ContextDep,
    actor: ActorDep,
    new: NewCommand,
    request: Request,
    key: IdempotencyKey,
    digest: BodyDigest,
) -> Response:
    """Signs an order and sends it; the answer tells that it is queued, not that it is done."""
    desk = context.desk
    if desk is None:
        detail = "this controller has no command key ([commands] signing_key_file)"
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    order = Order(
        node=new.node,
        actor=actor,
        action=new.action.action(),
        lifetime_ms=new.lifetime_ms,
        precondition=tuple(p.condition() for p in new.precondition),
        not_before_ms=None if new.not_before is None else to_ms(new.not_before),
    )
    attempt = Attempt(actor, key, request.method, request.url.path, digest)
    with context.storage.write() as conn:
        answer = once(conn, attempt, context.clock.now_ms(), lambda: _issue(conn, desk, order))
    context.wake()
    return answer


def _issue(conn: Connection, desk: CommandDesk, order: Order) -> Made:
    try:
        command_id = desk.issue(conn, order)
    except (ConflictError, MissingError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    row = conn.execute(select(commands).where(commands.c.id == command_id)).one()
    return Made(CommandView.of(row), f"/api/v1/commands/{command_id}")


@router.get("/{command_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_command(
    context: ContextDep, command_id: Annotated[str, Path(max_length=64)]
) -> CommandView:
    """One order."""
    with context.storage.read() as conn:
        row = conn.execute(select(commands).where(commands.c.id == command_id)).one_or_none()
    if row is None:
        raise not_found("command", command_id)
    return CommandView.of(row)
