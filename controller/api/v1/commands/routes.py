"""`/api/v1/commands`."""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import Connection, select, tuple_

from controller.access.approvals.requests import note_token
from controller.access.permissions import Permission
from controller.api.context import Context, ContextDep
from controller.api.guard import Needs, Permit
from controller.api.idempotency import Attempt, BodyDigest, IdempotencyKey, Made, once
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.approvals.responses import AwaitedApproval
from controller.api.v1.commands.requests import NewCommand
from controller.api.v1.commands.responses import CommandView
from controller.errors import ConflictError, MissingError
from controller.fleet.command_life import CommandState
from controller.fleet.commands import CommandDesk, Order
from controller.fleet.dangerous import Asking, approval_rule, ask_approval
from controller.storage.tables import commands
from shared.logs import command_trace
from shared.time import to_ms

router = APIRouter(prefix="/commands", tags=["commands"])

_log = structlog.get_logger()

CommandReader = Annotated[Permit, Depends(Needs(Permission.COMMANDS_READ))]
CommandIssuer = Annotated[Permit, Depends(Needs(Permission.COMMANDS_ISSUE))]


@router.get("", summary="Commands, newest first")
def list_commands(
    context: ContextDep,
    permit: CommandReader,
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
    query = query.where(permit.on_nodes(commands.c.node))
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
    responses={
        HTTPStatus.ACCEPTED: {
            "description": "The order needs other people's approval, and is issued with the last",
            "model": AwaitedApproval,
        },
        **documented(HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
    },
)
def create_command(
    context: ContextDep,
    permit: CommandIssuer,
    new: NewCommand,
    request: Request,
    key: IdempotencyKey,
    digest: BodyDigest,
) -> Response:
    """Signs an order and sends it; the answer tells that it is queued, not that it is done. An
    order that needs approval (202) is put before its approvers instead."""
    desk = context.desk
    if desk is None:
        detail = "this controller has no command key ([commands] signing_key_file)"
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    order = Order(
        node=new.node,
        actor=permit.actor,
        action=new.action.action(),
        lifetime_ms=new.lifetime_ms,
        precondition=tuple(p.condition() for p in new.precondition),
        not_before_ms=None if new.not_before is None else to_ms(new.not_before),
    )
    attempt = Attempt(permit.actor, key, request.method, request.url.path, digest)
    with context.storage.write() as conn:
        if not permit.reaches_node(conn, new.node):
            raise ProblemError(HTTPStatus.CONFLICT, f"there is no node {new.node!r}")
        answer = once(
            conn, attempt, context.clock.now_ms(), lambda: _make(conn, context, desk, order, permit)
        )
    context.wake()
    return answer


def _make(
    conn: Connection, context: Context, desk: CommandDesk, order: Order, permit: Permit
) -> Made:
    try:
        found = approval_rule(conn, context.approvals, order)
        if found is not None:
            asking = Asking(permit.caller.user_id, permit.caller.name)
            request_id = ask_approval(conn, context.clock, order, found, asking)
            note_token(conn, request_id, permit.caller.token_id)
            awaited = AwaitedApproval(approval=request_id)
            return Made(awaited, f"/api/v1/approvals/{request_id}", HTTPStatus.ACCEPTED)
        command_id = desk.issue(conn, order)
    except (ConflictError, MissingError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    row = conn.execute(select(commands).where(commands.c.id == command_id)).one()
    _log.info("an order was given", command=command_id, command_trace=command_trace(command_id))
    return Made(CommandView.of(row), f"/api/v1/commands/{command_id}")


@router.get("/{command_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_command(
    context: ContextDep, permit: CommandReader, command_id: Annotated[str, Path(max_length=64)]
) -> CommandView:
    """One order."""
    with context.storage.read() as conn:
        row = conn.execute(
            select(commands).where(commands.c.id == command_id, permit.on_nodes(commands.c.node))
        ).one_or_none()
    if row is None:
        raise not_found("command", command_id)
    return CommandView.of(row)
