"""`/api/v1/account`."""

from http import HTTPStatus
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Request
from sqlalchemy import Connection, func, select

from controller.access import factors, passkeys, people
from controller.access import sessions as session_store
from controller.access.callers import Caller
from controller.access.desk import Refusal, Refused
from controller.access.passkeys import Answered
from controller.access.passwords import check_password, hash_password
from controller.access.records import changed
from controller.access.session_life import Stage
from controller.api.context import Context, ContextDep, address_of
from controller.api.cookies import change_cookie
from controller.api.persons import (
    AddingFactorDep,
    NotWholeYetDep,
    PartyDep,
    PersonDep,
    confirm_password,
    refusal,
    session_of,
)
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.account.requests import (
    Confirmed,
    FirstCode,
    NewPasskey,
    PasswordChange,
)
from controller.api.v1.account.responses import Account, FactorAdded, NewTotp, Passkey
from controller.api.v1.sessions.responses import CeremonyOptions
from controller.errors import ConflictError
from controller.storage.tables import recovery_codes, users
from shared.errors import BadInputError

router = APIRouter(prefix="/account", tags=["account"])

PasskeyId = Annotated[int, Path(ge=1, lt=2**63)]
_CONFIRMED = documented(HTTPStatus.TOO_MANY_REQUESTS)
_CONFIRMED_OR_NOT = documented(HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)


@router.get("", summary="One's own account")
def read_account(context: ContextDep, caller: NotWholeYetDep) -> Account:
    """Who is signed in, with the second factors that are set up."""
    with context.storage.read() as conn:
        row = conn.execute(select(users).where(users.c.id == caller.user_id)).one()
        keys = passkeys.listed(conn, caller.user_id)
        unused = (
            select(func.count())
            .select_from(recovery_codes)
            .where(
                recovery_codes.c.user_id == caller.user_id,
                recovery_codes.c.used_real_ms.is_(None),
            )
        )
        left = conn.scalar(unused) or 0
    return Account(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        totp=row.totp_secret is not None,
        passkeys=[Passkey.of(key) for key in keys],
        recovery_codes_left=left,
        has_first_password=row.first_password_until_real_ms is not None,
    )


@router.put(
    "/password",
    status_code=HTTPStatus.NO_CONTENT,
    responses=_CONFIRMED_OR_NOT,
    summary="Change one's password",
)
def change_password(
    context: ContextDep, caller: NotWholeYetDep, request: Request, change: PasswordChange
) -> None:
    """Sets a new password; every session ends, this one too, and every API token."""
    confirm_password(context, caller, change.password, address_of(request))
    if change.new_password == change.password:
        raise ProblemError(HTTPStatus.CONFLICT, "the new password is the present one")
    try:
        check_password(change.new_password, caller.name)
    except BadInputError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    hashed = hash_password(change.new_password)
    with context.storage.write() as conn:
        people.set_password(conn, context.clock, caller.user_id, hashed, caller.actor)
    change_cookie(request, context.access.config, "")


@router.post("/totp", responses=_CONFIRMED, summary="Begin with an authenticator app")
def begin_totp(
    context: ContextDep, caller: AddingFactorDep, request: Request, given: Confirmed
) -> NewTotp:
    """A new secret, shown once. One that is in use stays so until a code of the new is given."""
    confirm_password(context, caller, given.password, address_of(request))
    with context.storage.write() as conn:
        secret, uri = factors.begin_totp(conn, context.access.seal, caller.user_id, caller.name)
    rows = segno.make(uri, error="m").matrix
    return NewTotp(secret=secret, uri=uri, qr=["".join(map(str, row)) for row in rows])


@router.post(
    "/totp/confirmation",
    responses=_CONFIRMED_OR_NOT,
    summary="Finish with an authenticator app",
)
def confirm_totp(
    context: ContextDep, caller: AddingFactorDep, request: Request, given: FirstCode
) -> FactorAdded:
    """Makes the new secret the account's, by a first code of it; recovery codes come with it."""

    def confirm(conn: Connection, now_ms: int) -> FactorAdded | None:
        seal = context.access.seal
        codes = factors.confirm_totp(conn, seal, caller.user_id, given.code, now_ms)
        if codes is None:
            return None
        changed(conn, context.clock, "user.totp_set", caller.actor, caller.actor)
        return _with_factor(conn, context, caller, request, codes)

    added = context.access.first_code(caller, address_of(request), confirm)
    if not isinstance(added, Refused):
        return added
    if added.refusal is Refusal.WRONG:
        raise ProblemError(HTTPStatus.CONFLICT, "this is no code of the secret just shown")
    raise refusal(added)


@router.delete(
    "/totp",
    status_code=HTTPStatus.NO_CONTENT,
    responses=_CONFIRMED_OR_NOT,
    summary="Do without the authenticator app",
)
def remove_totp(context: ContextDep, caller: PersonDep, request: Request, given: Confirmed) -> None:
    """Forgets the secret and the recovery codes; not where it is the only second factor."""
    confirm_password(context, caller, given.password, address_of(request))
    with context.storage.write() as conn:
        if not factors.remove_totp(conn, caller.user_id):
            raise ProblemError(HTTPStatus.CONFLICT, "no authenticator app is set up")
        _keep_a_factor(conn, context, caller)
        changed(conn, context.clock, "user.totp_removed", caller.actor, caller.actor)


@router.post(
    "/passkeys/options", responses=_CONFIRMED_OR_NOT, summary="What the browser makes a passkey of"
)
def passkey_options(
    context: ContextDep,
    caller: AddingFactorDep,
    request: Request,
    party: PartyDep,
    given: Confirmed,
) -> CeremonyOptions:
    """Begins the registration of a passkey."""
    confirm_password(context, caller, given.password, address_of(request))
    challenge = passkeys.new_challenge()
    until_ms = context.clock.real_ms() + passkeys.CEREMONY_MS
    try:
        with context.storage.write() as conn:
            session_store.keep_challenge(conn, session_of(caller).id, challenge, until_ms)
            options = passkeys.registration_options(
                conn, party, caller.user_id, caller.name, challenge
            )
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return CeremonyOptions(options=options)


@router.post(
    "/passkeys",
    status_code=HTTPStatus.CREATED,
    responses=documented(HTTPStatus.CONFLICT),
    summary="Register a passkey",
)
def add_passkey(
    context: ContextDep, caller: AddingFactorDep, request: Request, party: PartyDep, new: NewPasskey
) -> FactorAdded:
    """Keeps a passkey that answers the challenge just given, with its user verified."""
    now_ms = context.clock.real_ms()
    refused = ProblemError(HTTPStatus.CONFLICT, "this is no answer to the challenge just given")
    with context.storage.write() as conn:
        challenge = session_store.take_challenge(conn, session_of(caller).id, now_ms)
    if challenge is None:
        context.access.tell_bad_passkey(caller.user_id, address_of(request))
        raise refused
    answered = Answered(new.credential.credential(), challenge)
    with context.storage.write() as conn:
        people.user_row(conn, caller.user_id)  # of two at a time the second finds itself ended
        made = passkeys.register(conn, party, caller.user_id, new.name, answered, now_ms)
        if made is not None:
            changed(
                conn, context.clock, "user.passkey_added", caller.actor, caller.actor, passkey=made
            )
            return _with_factor(conn, context, caller, request, [])
    context.access.tell_bad_passkey(caller.user_id, address_of(request))
    raise refused


@router.delete(
    "/passkeys/{passkey_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses={**_CONFIRMED_OR_NOT, **documented(HTTPStatus.NOT_FOUND)},
    summary="Forget a passkey",
)
def remove_passkey(
    context: ContextDep,
    caller: PersonDep,
    request: Request,
    passkey_id: PasskeyId,
    given: Confirmed,
) -> None:
    """Forgets a passkey; not where it is the only second factor."""
    confirm_password(context, caller, given.password, address_of(request))
    with context.storage.write() as conn:
        if not passkeys.remove(conn, caller.user_id, passkey_id):
            raise not_found("passkey", passkey_id)
        _keep_a_factor(conn, context, caller)
        changed(
            conn,
            context.clock,
            "user.passkey_removed",
            caller.actor,
            caller.actor,
            passkey=passkey_id,
        )


def _with_factor(
    conn: Connection, context: Context, caller: Caller, request: Request, codes: list[str]
) -> FactorAdded:
    """Every other session ends. One that waited for a second factor to be set up is whole now,
    under a new id; only the first to set one up becomes so."""
    session = session_of(caller)
    people.user_row(conn, caller.user_id)
    session_store.end_all(conn, caller.user_id, but=session.id)
    if session.stage is Stage.FULL and session_store.is_kept(conn, session.id):
        return FactorAdded(stage=Stage.FULL, csrf=session.csrf, recovery_codes=codes)
    opened = session_store.elevate(conn, caller.user_id, session.id, context.clock.real_ms())
    if opened is None:
        raise ProblemError(HTTPStatus.CONFLICT, "the session has changed; read it again")
    change_cookie(request, context.access.config, opened.secret)
    return FactorAdded(stage=opened.stage, csrf=opened.csrf, recovery_codes=codes)


def _keep_a_factor(conn: Connection, context: Context, caller: Caller) -> None:
    required = context.access.config.second_factor == "required"
    if required and not factors.factor_kinds(conn, caller.user_id):
        detail = "a second factor is required: set another one up first"
        raise ProblemError(HTTPStatus.CONFLICT, detail)
