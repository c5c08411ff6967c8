"""`/api/v1/approvals`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

import webauthn
from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import ColumnElement, Connection, Row, select, true, tuple_
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from controller.access.approvals import keys
from controller.access.approvals.attempts import attempt
from controller.access.approvals.decisions import Delivery, decide
from controller.access.approvals.grants import ask_grant
from controller.access.approvals.requests import case_of, note_token, withdraw
from controller.access.approvals.use import kept_decisions
from controller.access.permissions import COMPANY, Permission, gives
from controller.api.context import Context, ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.approvals.requests import GrantAsked, NewDecision, PasskeyQuestion
from controller.api.v1.approvals.responses import Approval, ApprovalSummary, CeremonyOptions
from controller.errors import ConflictError, MissingError
from controller.storage.tables import approval_requests
from shared.approvals.exchange import key_id_from_hex
from shared.approvals.intents import IntentKind
from shared.approvals.keys import KeyKind
from shared.approvals.life import ApprovalState
from shared.approvals.passkey import RelyingParty
from shared.errors import BadInputError

router = APIRouter(prefix="/approvals", tags=["approvals"])

ApprovalReader = Annotated[Permit, Depends(Needs(Permission.APPROVALS_READ))]
ApprovalAsker = Annotated[Permit, Depends(Needs(Permission.APPROVALS_REQUEST))]
ApprovalDecider = Annotated[Permit, Depends(Needs(Permission.APPROVALS_DECIDE))]
UserChanger = Annotated[Permit, Depends(Needs(Permission.USERS_CHANGE))]
RequestId = Annotated[str, Path(max_length=36)]


@contextmanager
def refusals_told() -> Iterator[None]:
    """Refusals of the domain as problem documents: 409, or 404 for what is not there."""
    try:
        yield
    except MissingError as error:
        raise not_found(error.what, error.name) from error
    except (ConflictError, BadInputError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error


def party_of(context: Context) -> RelyingParty:
    """Whom passkeys approve for; 409 where the configuration names no origin."""
    party = context.approvals.party
    if party is None:
        detail = "passkeys are not taken here: [approvals] origins names no page"
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    return party


@router.get("", summary="Approval requests, newest first")
def list_approvals(
    context: ContextDep,
    permit: ApprovalReader,
    state: ApprovalState | None = None,
    kind: Annotated[IntentKind | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApprovalSummary]:
    """What waits, and what became of what waited."""
    after = decode_cursor(cursor, int, str)
    table = approval_requests.c
    query = (
        select(approval_requests)
        .where(_in_reach(permit))
        .order_by(table.created_ms.desc(), table.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(table.created_ms, table.id) < tuple_(*after))
    if state is not None:
        query = query.where(table.state == state.value)
    if kind is not None:
        query = query.where(table.kind == kind.value)
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, ApprovalSummary.of, lambda row: [row.created_ms, row.id])


@router.post(
    "/user-grants",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def create_grant_request(context: ContextDep, permit: UserChanger, asked: GrantAsked) -> Approval:
    """Puts a role before the other administrators: with the approval of one it is given."""
    caller = permit.caller
    with refusals_told(), context.storage.write() as conn:
        asking = keys.Owner(caller.user_id, caller.name, permit.actor)
        request_id = ask_grant(conn, context.clock, asking, asked.user_id, asked.grant())
        note_token(conn, request_id, caller.token_id)
        row = conn.execute(
            select(approval_requests).where(approval_requests.c.id == request_id)
        ).one()
        answer = Approval.whole(row, [])
    context.wake()
    return answer


@router.get("/{request_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_approval(context: ContextDep, permit: ApprovalReader, request_id: RequestId) -> Approval:
    """A request with the exact bytes of its intent, and the same in words."""
    with context.storage.read() as conn:
        return _whole(conn, permit, request_id)


@router.post(
    "/{request_id}/decisions",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def create_decision(
    context: ContextDep, permit: ApprovalReader, request_id: RequestId, new: NewDecision
) -> Approval:
    """Takes a signed answer, whoever brings it: the signature is the authority. The transaction
    that records the last approval of a command issues it."""
    with refusals_told():
        delivery = Delivery(request_id, new.signed(), permit.actor)

        def work(conn: Connection) -> Approval:
            _reached(conn, permit, request_id)
            decide(conn, context.clock, context.approvals, delivery)
            return _whole(conn, permit, request_id)

        answer = attempt(context.storage, context.clock, permit.actor, work)
    context.wake()
    return answer


@router.post(
    "/{request_id}/withdrawal",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def create_withdrawal(
    context: ContextDep, permit: ApprovalAsker, request_id: RequestId
) -> Approval:
    """The initiator takes the request back."""

    def work(conn: Connection) -> Approval:
        _reached(conn, permit, request_id)
        withdraw(conn, context.clock, request_id, permit.caller.user_id, permit.actor)
        return _whole(conn, permit, request_id)

    with refusals_told():
        answer = attempt(context.storage, context.clock, permit.actor, work)
    context.wake()
    return answer


@router.post(
    "/{request_id}/passkey-options",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def create_passkey_options(
    context: ContextDep, permit: ApprovalDecider, request_id: RequestId, question: PasskeyQuestion
) -> CeremonyOptions:
    """What a passkey of one's own has to answer to say this to this request."""
    party = party_of(context)
    key_id = key_id_from_hex(question.key_id)
    with context.storage.read() as conn, refusals_told():
        case = case_of(_reached(conn, permit, request_id))
        key = keys.find_key(conn, key_id)
    if key is None or key.user_id != permit.caller.user_id or key.kind != KeyKind.PASSKEY.value:
        raise ProblemError(HTTPStatus.CONFLICT, "this is not a passkey of yours")
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=case.challenge(key_id, question.decision),
        timeout=keys.CEREMONY_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=bytes(key.credential_id))],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return CeremonyOptions(public_key=json.loads(webauthn.options_to_json(options)))


def _in_reach(permit: Permit) -> ColumnElement[bool]:
    """The condition that a request's scope is one on which the caller has the permission."""
    scopes = {str(g.scope) for g in permit.caller.grants if gives(g, permit.permission)}
    if str(COMPANY) in scopes:
        return true()
    return approval_requests.c.scope.in_(sorted(scopes))


def _reached(conn: Connection, permit: Permit, request_id: str) -> Row[Any]:
    query = select(approval_requests).where(approval_requests.c.id == request_id, _in_reach(permit))
    row = conn.execute(query).one_or_none()
    if row is None:
        raise not_found("approval request", request_id)
    return row


def _whole(conn: Connection, permit: Permit, request_id: str) -> Approval:
    row = _reached(conn, permit, request_id)
    return Approval.whole(row, kept_decisions(conn, request_id))
