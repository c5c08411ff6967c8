"""`/api/v1/tokens`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlalchemy import or_, select

from controller.access.api_tokens import NewToken, create_token, revoke_token
from controller.access.permissions import Permission
from controller.api.context import ContextDep, address_of
from controller.api.persons import PersonDep, confirm_password
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.tokens.requests import TokenWanted
from controller.api.v1.tokens.responses import TokenMade, TokenView
from controller.errors import ConflictError
from controller.storage.tables import api_tokens

router = APIRouter(prefix="/tokens", tags=["tokens"])

TokenId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", summary="One's own tokens")
def list_tokens(context: ContextDep, caller: PersonDep) -> list[TokenView]:
    """The tokens that are good now, newest first."""
    query = (
        select(api_tokens)
        .where(
            api_tokens.c.user_id == caller.user_id,
            api_tokens.c.revoked_real_ms.is_(None),
            or_(
                api_tokens.c.expires_real_ms.is_(None),
                api_tokens.c.expires_real_ms > context.clock.real_ms(),
            ),
        )
        .order_by(api_tokens.c.id.desc())
    )
    with context.storage.read() as conn:
        return [TokenView.of(row) for row in conn.execute(query)]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
    summary="Make a token",
)
def make_token(
    context: ContextDep, caller: PersonDep, request: Request, wanted: TokenWanted
) -> TokenMade:
    """Makes a token for a part of what its owner may, and shows it once."""
    confirm_password(context, caller, wanted.password, address_of(request))
    beyond = [p.value for p in wanted.permissions if not caller.may_somewhere(p)]
    if Permission.APPROVALS_DECIDE in wanted.permissions:
        beyond.append(Permission.APPROVALS_DECIDE.value)
    if beyond:
        detail = f"a token of yours cannot have {', '.join(sorted(set(beyond)))}"
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    new = NewToken(wanted.name, frozenset(wanted.permissions), wanted.days)
    try:
        with context.storage.write() as conn:
            shown = create_token(conn, context.clock, caller.user_id, new, caller.actor)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return TokenMade(id=shown.id, token=shown.token)


@router.delete(
    "/{token_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(HTTPStatus.NOT_FOUND),
    summary="End a token",
)
def end_token(context: ContextDep, caller: PersonDep, token_id: TokenId) -> None:
    """Revokes one of one's own tokens, at once and for good."""
    with context.storage.write() as conn:
        if not revoke_token(conn, context.clock, caller.user_id, token_id, caller.actor):
            raise not_found("token", token_id)
