"""What only a person in a session may do, and how the desk's refusals are answered."""

import math
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from controller.access.callers import Caller, SessionRef
from controller.access.desk import Refusal, Refused
from controller.access.passkeys import RelyingParty
from controller.access.permissions import Permission
from controller.api.context import Context, ContextDep
from controller.api.cookies import own_origin
from controller.api.guard import Lack, Needs, Permit, record_refused
from controller.api.problems import ProblemError

OwnAccount = Annotated[Permit, Depends(Needs(Permission.ACCOUNT_OWN))]
_ADDING_A_FACTOR = Needs(Permission.ACCOUNT_OWN, even_without=frozenset({Lack.FACTOR}))
_NOT_WHOLE_YET = Needs(Permission.ACCOUNT_OWN, even_without=frozenset(Lack))

_TEXTS = {
    Refusal.WRONG: (HTTPStatus.UNAUTHORIZED, "this is not right"),
    Refusal.LOCKED: (HTTPStatus.TOO_MANY_REQUESTS, "too many attempts; try again later"),
    Refusal.BUSY: (HTTPStatus.TOO_MANY_REQUESTS, "too many at once; try again in a moment"),
    Refusal.ENDED: (HTTPStatus.UNAUTHORIZED, "sign in again"),
}


def in_session(connection: HTTPConnection, context: ContextDep, permit: OwnAccount) -> Caller:
    """The caller, who came by a session: an API token does not change the account it is of."""
    if permit.caller.session is None:
        record_refused(connection, context, permit.caller, permit.permission)
        raise ProblemError(HTTPStatus.FORBIDDEN, "this needs a session, not an API token")
    return permit.caller


PersonDep = Annotated[Caller, Depends(in_session)]


def adding_a_factor(
    connection: HTTPConnection,
    context: ContextDep,
    permit: Annotated[Permit, Depends(_ADDING_A_FACTOR)],
) -> Caller:
    """As `in_session`, also before a second factor is set up."""
    return in_session(connection, context, permit)


def not_whole_yet(
    connection: HTTPConnection,
    context: ContextDep,
    permit: Annotated[Permit, Depends(_NOT_WHOLE_YET)],
) -> Caller:
    """As `in_session`, also with a first password and before a second factor is set up."""
    return in_session(connection, context, permit)


AddingFactorDep = Annotated[Caller, Depends(adding_a_factor)]
NotWholeYetDep = Annotated[Caller, Depends(not_whole_yet)]


def session_of(caller: Caller) -> SessionRef:
    """The session of a caller who has one; 403 otherwise."""
    if caller.session is None:
        raise ProblemError(HTTPStatus.FORBIDDEN, "this needs a session, not an API token")
    return caller.session


def refusal(refused: Refused) -> ProblemError:
    """How the desk's refusal is answered: the same for everybody."""
    status, text = _TEXTS[refused.refusal]
    retry_s = math.ceil(refused.retry_ms / 1_000) if refused.retry_ms else None
    return ProblemError(status, text, retry_after_s=retry_s)


def confirm_password(context: Context, caller: Caller, password: str, address: str) -> None:
    """Goes on when it is the caller's password; 403 or 429 otherwise."""
    refused = context.access.password_again(caller, password, address)
    if refused is None:
        return
    if refused.refusal is Refusal.WRONG:
        raise ProblemError(HTTPStatus.FORBIDDEN, "this is not your password")
    raise refusal(refused)


def relying_party(connection: HTTPConnection, context: ContextDep) -> RelyingParty:
    """The page as authenticators know it."""
    return RelyingParty(own_origin(connection, context.access.config))


PartyDep = Annotated[RelyingParty, Depends(relying_party)]
