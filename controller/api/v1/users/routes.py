"""`/api/v1/users`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, Row, select

from controller.access import attempts, people
from controller.access import sessions as session_store
from controller.access.approvals.attempts import RefusedAttemptError, attempt
from controller.access.approvals.grants import ask_grant
from controller.access.approvals.keys import Owner
from controller.access.approvals.requests import note_token
from controller.access.callers import UserKind, grants_of
from controller.access.four_eyes import (
    GrantChange,
    needs_approval,
    why_not_remove,
    why_not_reset,
)
from controller.access.passwords import check_password, hash_password
from controller.access.permissions import COMPANY, Grant, Permission, Role, parse_scope
from controller.access.records import changed
from controller.api.context import Context, ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.approvals.responses import AwaitedApproval
from controller.api.v1.users.requests import GrantWanted, UserChange, UserWanted
from controller.api.v1.users.responses import GrantView, UserView
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError, MissingError
from controller.storage.tables import role_grants, users
from shared.errors import BadInputError

T = TypeVar("T")

router = APIRouter(prefix="/users", tags=["users"])

UserReader = Annotated[Permit, Depends(Needs(Permission.USERS_READ))]
UserChanger = Annotated[Permit, Depends(Needs(Permission.USERS_CHANGE))]
Id = Annotated[int, Path(ge=1, lt=2**63)]
APPROVAL_ROUTE = "/api/v1/approvals/user-grants"
_REFUSALS = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except MissingError as error:
        raise not_found(error.what, error.name) from error
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error


@router.get("", summary="Accounts by id")
def list_users(
    context: ContextDep, _permit: UserReader, limit: Limit = 50, cursor: Cursor = None
) -> Page[UserView]:
    """Every account with its grants."""
    after = decode_cursor(cursor, int)
    query = select(users).order_by(users.c.id).limit(limit + 1)
    if after is not None:
        query = query.where(users.c.id > after[0])
    now_ms = context.clock.real_ms()
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
        views = {view.id: view for view in _views(conn, rows, now_ms)}
    return page(rows, limit, lambda row: views[row.id], lambda row: [row.id])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=documented(HTTPStatus.CONFLICT),
    summary="Add an account",
)
def add_user(context: ContextDep, permit: UserChanger, new: UserWanted) -> UserView:
    """Adds an account without any right. Its name is unique, so a request that is sent again is
    refused with 409 and adds nothing. A first password is good for three days, and for nothing
    but to be changed by its owner."""
    person = new.kind is UserKind.PERSON
    if person != (new.password is not None):
        detail = "a person has a first password, a service account has none"
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    hashed = None
    if new.password is not None:
        try:
            check_password(new.password, new.name)
        except BadInputError as error:
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
        hashed = hash_password(new.password)
    wanted = people.NewUser(new.name, new.display_name, new.kind, hashed, is_first_password=person)
    with _answered(), context.storage.write() as conn:
        user_id = people.add_user(conn, context.clock, wanted, permit.actor)
        return _view(conn, user_id, context.clock.real_ms())


@router.get("/{user_id}", responses=documented(HTTPStatus.NOT_FOUND), summary="One account")
def read_user(context: ContextDep, _permit: UserReader, user_id: Id) -> UserView:
    """One account with its grants."""
    with _answered(), context.storage.read() as conn:
        return _view(conn, user_id, context.clock.real_ms())


@router.patch("/{user_id}", responses=_REFUSALS, summary="Disable or enable an account")
def change_user(
    context: ContextDep, permit: UserChanger, user_id: Id, change: UserChange
) -> UserView:
    """A disabled account's sessions end and its tokens open nothing. No administrator disables
    another one: that is done on the controller's host."""

    def work(conn: Connection) -> UserView:
        if change.disabled:
            _refuse_removal(conn, permit, user_id)
        people.set_disabled(conn, context.clock, user_id, permit.actor, disabled=change.disabled)
        return _view(conn, user_id, context.clock.real_ms())

    return _attempted(context, permit, work)


@router.post(
    "/{user_id}/grants",
    status_code=HTTPStatus.CREATED,
    response_model=UserView,
    responses={
        HTTPStatus.ACCEPTED: {
            "description": "The role needs the approval of a second administrator first",
            "model": AwaitedApproval,
        },
        **_REFUSALS,
    },
    summary="Grant a role on a scope",
)
def grant_role(
    context: ContextDep, permit: UserChanger, user_id: Id, wanted: GrantWanted
) -> UserView | JSONResponse:
    """Grants a role; its owner signs in anew. Where there are several administrators, the roles
    that decide over money and rights are put before the others (202). Nobody raises himself."""
    given = Grant(wanted.role, parse_scope(wanted.scope))

    def work(conn: Connection) -> UserView | AwaitedApproval:
        return _grant_or_ask(conn, context.clock, permit, user_id, given)

    done = _attempted(context, permit, work)
    if isinstance(done, UserView):
        return done
    context.wake()
    headers = {"Location": f"/api/v1/approvals/{done.approval}"}
    return JSONResponse(done.model_dump(), HTTPStatus.ACCEPTED, headers)


def _grant_or_ask(
    conn: Connection, clock: Clock, permit: Permit, user_id: int, given: Grant
) -> UserView | AwaitedApproval:
    administrators = people.lock_administrators(conn)
    people.user_row(conn, user_id)
    caller, subject = permit.caller, f"user:{user_id}"
    change = GrantChange(user_id, given, caller.user_id)
    reason = needs_approval(change, len(administrators))
    if reason is None:
        people.grant(conn, clock, user_id, given, permit.actor)
        return _view(conn, user_id, clock.real_ms())
    if user_id == caller.user_id:
        raise RefusedAttemptError(subject, "to himself", f"{reason}: ask at {APPROVAL_ROUTE}")
    asking = Owner(caller.user_id, caller.name, permit.actor)
    try:
        request_id = ask_grant(conn, clock, asking, user_id, given)
    except ConflictError as error:
        raise RefusedAttemptError(subject, "nobody to agree", f"{reason}: {error}") from error
    note_token(conn, request_id, caller.token_id)
    return AwaitedApproval(approval=request_id)


@router.delete(
    "/{user_id}/grants/{grant_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=_REFUSALS,
    summary="Take a grant back",
)
def revoke_role(context: ContextDep, permit: UserChanger, user_id: Id, grant_id: Id) -> None:
    """Takes a role back; its owner signs in anew. The last administrator stays one, and no
    administrator takes another one's role away: that is done on the controller's host."""

    def work(conn: Connection) -> None:
        if _administers(conn, user_id, grant_id):
            _refuse_removal(conn, permit, user_id)
        people.revoke(conn, context.clock, user_id, grant_id, permit.actor)

    _attempted(context, permit, work)


@router.post(
    "/{user_id}/unlock",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(HTTPStatus.NOT_FOUND),
    summary="Unlock an account",
)
def unlock_user(context: ContextDep, permit: UserChanger, user_id: Id) -> None:
    """Forgets the failed attempts that locked an account."""
    with _answered(), context.storage.write() as conn:
        row = people.user_row(conn, user_id)
        if attempts.clear(conn, attempts.account_key(row.name)):
            changed(conn, context.clock, "user.unlocked", permit.actor, f"user:{user_id}")


@router.post(
    "/{user_id}/factor-reset",
    status_code=HTTPStatus.NO_CONTENT,
    responses=_REFUSALS,
    summary="Forget an account's second factors",
)
def reset_factors(context: ContextDep, permit: UserChanger, user_id: Id) -> None:
    """For a lost telephone: its sessions and tokens end, and the next session sets a factor up.
    Not one's own, and not those of an account that asks for approvals or decides on them: that is
    done on the controller's host."""
    if user_id == permit.caller.user_id:
        raise ProblemError(HTTPStatus.CONFLICT, "another administrator resets one's factors")

    def work(conn: Connection) -> None:
        people.user_row(conn, user_id)
        reason = why_not_reset(grants_of(conn, user_id))
        if reason is not None:
            raise RefusedAttemptError(f"user:{user_id}", "factors of a privileged account", reason)
        people.reset_factors(conn, context.clock, user_id, permit.actor)

    _attempted(context, permit, work)


@router.post(
    "/{user_id}/end-sessions",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(HTTPStatus.NOT_FOUND),
    summary="End every session of an account",
)
def end_sessions(context: ContextDep, permit: UserChanger, user_id: Id) -> None:
    """Its owner signs in anew."""
    with _answered(), context.storage.write() as conn:
        people.user_row(conn, user_id)
        session_store.end_all(conn, user_id)
        changed(conn, context.clock, "sessions.ended", permit.actor, f"user:{user_id}")


def _attempted(context: Context, permit: Permit, work: Callable[[Connection], T]) -> T:
    """What one administrator may not do alone is recorded when he tries."""
    with _answered():
        kind = SecurityKind.GRANT_REFUSED
        return attempt(context.storage, context.clock, permit.actor, work, kind)


def _refuse_removal(conn: Connection, permit: Permit, user_id: int) -> None:
    administrators = people.lock_administrators(conn)
    reason = why_not_remove(user_id, permit.caller.user_id, administrators)
    if reason is not None:
        raise RefusedAttemptError(f"user:{user_id}", "an administrator, alone", reason)


def _administers(conn: Connection, user_id: int, grant_id: int) -> bool:
    """Whether it is this grant by which the account administers the company."""
    query = select(role_grants.c.id).filter_by(
        id=grant_id, user_id=user_id, role=Role.ADMINISTRATOR, scope=str(COMPANY)
    )
    return conn.scalar(query) is not None


def _view(conn: Connection, user_id: int, now_ms: int) -> UserView:
    row = conn.execute(select(users).where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise MissingError("account", user_id)
    return _views(conn, [row], now_ms)[0]


def _views(conn: Connection, rows: Sequence[Row[Any]], now_ms: int) -> list[UserView]:
    ids = [row.id for row in rows]
    granted: dict[int, list[GrantView]] = {user_id: [] for user_id in ids}
    query = select(role_grants).where(role_grants.c.user_id.in_(ids)).order_by(role_grants.c.id)
    for row in conn.execute(query):
        view = GrantView(id=row.id, role=Role(row.role), scope=row.scope, granted_by=row.granted_by)
        granted[row.user_id].append(view)
    keys = {row.id: attempts.account_key(row.name) for row in rows}
    locked = attempts.locked_keys(conn, list(keys.values()), now_ms)
    return [UserView.of(row, granted[row.id], locked=keys[row.id] in locked) for row in rows]
