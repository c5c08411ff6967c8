"""What routes work with; `controller.app` puts one into `app.state.context`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from controller.access.sessions import COOKIE, is_good
from controller.access.tokens import BearerToken
from controller.api.problems import ProblemError
from controller.clock import Clock
from controller.fleet.commands import CommandDesk
from controller.fleet.meaning import Meanings
from controller.live import LiveFeed
from controller.storage.engine import Storage

OPERATOR = "operator"
"""The one actor until there are accounts: whoever holds the token."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the controller that the interface reaches.

    `desk` is None where no command key is configured; `wake` is called after a commit that put
    something into the outbox or changed what is shown. `live` feeds the stream.
    """

    storage: Storage
    clock: Clock
    token: BearerToken
    desk: CommandDesk | None
    wake: Callable[[], None]
    live: LiveFeed
    meanings: Meanings


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that serves this connection."""
    context: Context = connection.app.state.context
    return context


ContextDep = Annotated[Context, Depends(context_of)]


def has_session(context: Context, connection: HTTPConnection) -> bool:
    """Whether the connection carries a good session cookie."""
    cookie = connection.cookies.get(COOKIE)
    return cookie is not None and is_good(context.token, cookie, int(time.time()))


def has_bearer(context: Context, connection: HTTPConnection) -> bool:
    """Whether the connection carries the bearer token."""
    scheme, _, offered = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and context.token.matches(offered.strip())


def require_access(connection: HTTPConnection, context: ContextDep) -> str:
    """The actor; 401 without a token or session. A session reads only: it cannot be forged into
    a change by another page (CSRF), for changes want the token itself."""
    if has_bearer(context, connection):
        return OPERATOR
    if connection.scope.get("method") in {"GET", "HEAD"} and has_session(context, connection):
        return OPERATOR
    raise ProblemError(HTTPStatus.UNAUTHORIZED, "a bearer token is needed")


ActorDep = Annotated[str, Depends(require_access)]
