"""What routes work with; `controller.app` puts one into `app.state.context`.

Which permission a route needs is declared with `controller.api.guard`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from controller.access import csrf
from controller.access.approvals.decisions import ApprovalDesk
from controller.access.callers import Caller
from controller.access.desk import AccessDesk
from controller.api.cookies import change_cookie, offered_session, own_origin
from controller.api.problems import ProblemError
from controller.clock import Clock
from controller.fleet.commands import CommandDesk
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.storage.engine import Storage


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the controller that the interface reaches.

    `desk` is None where no command key is configured; `wake` is called after a commit that put
    something into the outbox or changed what is shown. `live` feeds the stream.
    """

    storage: Storage
    clock: Clock
    access: AccessDesk
    desk: CommandDesk | None
    wake: Callable[[], None]
    live: LiveFeed
    meanings: Meanings
    approvals: ApprovalDesk = field(default_factory=ApprovalDesk)


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that serves this connection."""
    context: Context = connection.app.state.context
    return context


ContextDep = Annotated[Context, Depends(context_of)]


def authenticated(connection: HTTPConnection, context: ContextDep) -> Caller:
    """Who is calling, by API token or session: 401 when nobody that is known.

    A change that comes with a session must come from our own page (403): an API token cannot be
    sent by another site, a cookie can.
    """
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, offered = header.partition(" ")
        token = offered.strip() if scheme.lower() == "bearer" else ""
        caller = context.access.by_token(token)
        if caller is None:
            context.access.tell_bad_token(token, address_of(connection))
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "the API token is not good, or no more")
        return caller
    config = context.access.config
    secret = offered_session(connection, config)
    is_http = connection.scope["type"] == "http"
    admitted = None
    if secret is not None:
        admitted = context.access.by_session(secret, is_request=is_http)
    if admitted is None or admitted.caller.session is None:
        if secret and is_http and connection.scope["method"] not in csrf.SAFE_METHODS:
            context.access.tell_bad_session(secret, address_of(connection))
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "sign in, or send an API token")
    _check_origin(connection, context, admitted.caller.user_id, admitted.caller.session.csrf)
    if admitted.new_secret is not None:
        change_cookie(connection, config, admitted.new_secret)
    return admitted.caller


def claims_of(connection: HTTPConnection) -> csrf.Claims:
    """What the request says of where it comes from."""
    headers = connection.headers
    return csrf.Claims(headers.get("sec-fetch-site"), headers.get("origin"))


def _check_origin(connection: HTTPConnection, context: Context, user_id: int, token: str) -> None:
    origin = own_origin(connection, context.access.config)
    claims = claims_of(connection)
    if connection.scope["type"] == "websocket":
        reason = csrf.foreign(csrf.Claims(None, claims.origin), origin)
    elif connection.scope["method"] in csrf.SAFE_METHODS:
        reason = None
    else:
        reason = csrf.forged(claims, origin, connection.headers.get(csrf.HEADER), token)
    if reason is not None:
        context.access.tell_forged(user_id, address_of(connection), reason)
        raise ProblemError(HTTPStatus.FORBIDDEN, reason)


CallerDep = Annotated[Caller, Depends(authenticated)]


def address_of(connection: HTTPConnection) -> str:
    """The address of the other end, as the listener believes it."""
    return connection.client.host if connection.client is not None else "unknown"
