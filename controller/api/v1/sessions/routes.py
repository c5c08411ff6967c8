"""`/api/v1/sessions`."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import Connection

from controller.access import csrf, factors, passkeys
from controller.access import sessions as session_store
from controller.access.callers import Caller, permissions_of
from controller.access.desk import Refused
from controller.access.passkeys import Answered, RelyingParty
from controller.access.records import changed
from controller.access.session_life import Stage
from controller.access.sessions import Opened
from controller.api.context import (
    CallerDep,
    Context,
    ContextDep,
    address_of,
    claims_of,
)
from controller.api.cookies import change_cookie, own_origin
from controller.api.guard import Open
from controller.api.persons import PartyDep, PersonDep, refusal, session_of
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.sessions.requests import Code, PasskeyAnswer, SignIn
from controller.api.v1.sessions.responses import (
    CeremonyOptions,
    CurrentSession,
    OwnSession,
    SignedIn,
)

router = APIRouter(prefix="/sessions", tags=["sessions"])

_ENTRANCE = [Depends(Open("who signs in is nobody yet"))]
_HALF_WAY = [Depends(Open("asks for a session itself, of any stage"))]
_TRIED = documented(HTTPStatus.TOO_MANY_REQUESTS)
SessionId = Annotated[int, Path(ge=1, lt=2**63)]


@router.post(
    "", status_code=HTTPStatus.CREATED, dependencies=_ENTRANCE, responses=_TRIED, summary="Sign in"
)
def sign_in(context: ContextDep, request: Request, given: SignIn) -> SignedIn:
    """The first step: name and password. The answer's cookie is a new session, whatever the
    request brought; with a second factor set up, it opens nothing before that is shown."""
    reason = csrf.foreign(claims_of(request), own_origin(request, context.access.config))
    if reason is not None:
        context.access.tell_forged(None, address_of(request), reason)
        raise ProblemError(HTTPStatus.FORBIDDEN, reason)
    browser = request.headers.get("user-agent", "")
    opened = context.access.sign_in(given.name, given.password, address_of(request), browser)
    return _signed_in(context, request, opened)


@router.post(
    "/current/code", dependencies=_HALF_WAY, responses=_TRIED, summary="Second factor by code"
)
def give_code(context: ContextDep, caller: CallerDep, request: Request, given: Code) -> SignedIn:
    """The second step with a code of the app, or with a recovery code, which is used up."""

    def check(conn: Connection, now_ms: int) -> bool:
        if factors.use_totp(conn, context.access.seal, caller.user_id, given.code, now_ms):
            return True
        if factors.use_recovery_code(conn, caller.user_id, given.code, now_ms):
            changed(conn, context.clock, "user.recovery_code_used", caller.actor, caller.actor)
            return True
        return False

    opened = context.access.second_factor(caller, address_of(request), check)
    return _signed_in(context, request, opened)


@router.post(
    "/current/passkey-options", dependencies=_HALF_WAY, summary="What the browser asks a passkey"
)
def passkey_options(context: ContextDep, caller: CallerDep, party: PartyDep) -> CeremonyOptions:
    """Begins the second step with a passkey."""
    session = session_of(caller)
    challenge = passkeys.new_challenge()
    until_ms = context.clock.real_ms() + passkeys.CEREMONY_MS
    with context.storage.write() as conn:
        session_store.keep_challenge(conn, session.id, challenge, until_ms)
        options = passkeys.assertion_options(conn, party, caller.user_id, challenge)
    return CeremonyOptions(options=options)


@router.post(
    "/current/passkey", dependencies=_HALF_WAY, responses=_TRIED, summary="Second factor by passkey"
)
def give_passkey(
    context: ContextDep, caller: CallerDep, request: Request, party: PartyDep, given: PasskeyAnswer
) -> SignedIn:
    """The second step with what the passkey signed."""

    def check(conn: Connection, now_ms: int) -> bool:
        return _asserted(conn, party, caller, given, now_ms)

    opened = context.access.second_factor(caller, address_of(request), check)
    return _signed_in(context, request, opened)


def _asserted(
    conn: Connection, party: RelyingParty, caller: Caller, given: PasskeyAnswer, now_ms: int
) -> bool:
    challenge = session_store.take_challenge(conn, session_of(caller).id, now_ms)
    if challenge is None:
        return False
    answered = Answered(given.credential(), challenge)
    return passkeys.check_assertion(conn, party, caller.user_id, answered, now_ms)


def _signed_in(context: Context, request: Request, opened: Opened | Refused) -> SignedIn:
    if isinstance(opened, Refused):
        raise refusal(opened)
    change_cookie(request, context.access.config, opened.secret)
    with context.storage.read() as conn:
        kinds = factors.factor_kinds(conn, opened.user_id)
    return SignedIn(stage=opened.stage, factors=kinds, csrf=opened.csrf)


@router.get("/current", dependencies=_HALF_WAY, summary="Who is signed in")
def read_current(context: ContextDep, caller: CallerDep) -> CurrentSession:
    """The session that the request came with, with the token for changes."""
    session = session_of(caller)
    is_whole = session.stage is Stage.FULL and not session.has_first_password
    with context.storage.read() as conn:
        kinds = factors.factor_kinds(conn, caller.user_id)
    return CurrentSession(
        stage=session.stage,
        user_id=caller.user_id,
        name=caller.name,
        csrf=session.csrf,
        factors=kinds,
        permissions=dict(permissions_of(caller)) if is_whole else {},
    )


@router.delete(
    "/current", status_code=HTTPStatus.NO_CONTENT, dependencies=_HALF_WAY, summary="Sign out"
)
def sign_out(context: ContextDep, caller: CallerDep, request: Request) -> None:
    """Ends the session and takes the cookie away."""
    session = session_of(caller)
    with context.storage.write() as conn:
        if session_store.end_session(conn, caller.user_id, session.id):
            changed(conn, context.clock, "session.ended", caller.actor, caller.actor)
    change_cookie(request, context.access.config, "")


@router.get("", summary="One's own sessions")
def list_sessions(context: ContextDep, caller: PersonDep) -> list[OwnSession]:
    """The sessions that open something now, newest first."""
    current = session_of(caller).id
    with context.storage.read() as conn:
        rows = session_store.live_sessions(
            conn, caller.user_id, context.access.limits, context.clock.real_ms()
        )
    return [OwnSession.of(row, current) for row in rows]


@router.delete("", status_code=HTTPStatus.NO_CONTENT, summary="End every other session")
def end_others(context: ContextDep, caller: PersonDep) -> None:
    """Ends all sessions of the account but this one."""
    with context.storage.write() as conn:
        session_store.end_all(conn, caller.user_id, but=session_of(caller).id)
        changed(conn, context.clock, "sessions.ended", caller.actor, caller.actor)


@router.delete(
    "/{session_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(HTTPStatus.NOT_FOUND),
    summary="End one of one's own sessions",
)
def end_one(context: ContextDep, caller: PersonDep, session_id: SessionId) -> None:
    """Ends a session of the account."""
    with context.storage.write() as conn:
        if not session_store.end_session(conn, caller.user_id, session_id):
            raise not_found("session", session_id)
        changed(conn, context.clock, "session.ended", caller.actor, caller.actor)
