"""`/api/v1/enrolment` for people and their programs."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection, Row, select

from controller.access.permissions import Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.paging import Cursor, Limit, Page, decode_cursor, page
from controller.api.problems import ProblemError, documented, not_found
from controller.api.v1.enrolment.bodies import DeskDep, readable
from controller.api.v1.enrolment.requests import (
    Confirmation,
    NewEnrolment,
    NewRevocation,
    NodeName,
)
from controller.api.v1.enrolment.responses import (
    Certificate,
    Enrolment,
    MadeEnrolment,
    Revoked,
)
from controller.enrolment.authority import new_token
from controller.enrolment.judge import checked_network
from controller.enrolment.revoking import (
    OtherRevocation,
    Revocation,
    is_known,
    revoke_certificates,
    revoke_other,
)
from controller.enrolment.tokens import (
    Asker,
    Terms,
    confirm,
    issue_token,
    refuse,
    withdraw,
    withdraw_all,
)
from controller.errors import ConflictError
from controller.storage.tables import certificates, enrolment_tokens
from shared.identity.fingerprints import PREFIX

Enroller = Annotated[Permit, Depends(Needs(Permission.NODES_ENROL))]
Confirmer = Annotated[Permit, Depends(Needs(Permission.NODES_CONFIRM))]
Revoker = Annotated[Permit, Depends(Needs(Permission.NODES_REVOKE))]
Reader = Annotated[Permit, Depends(Needs(Permission.ENROLMENT_READ))]

EnrolmentId = Annotated[int, Path(ge=1, lt=2**63)]
NodeFilter = Annotated[NodeName | None, Query()]
_FOUND = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

router = APIRouter(prefix="/enrolment", tags=["enrolment"])


@router.post(
    "/tokens",
    status_code=HTTPStatus.CREATED,
    summary="A token for a host",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def make_token(
    context: ContextDep, permit: Enroller, desk: DeskDep, new: NewEnrolment
) -> MadeEnrolment:
    """Makes a token, shown here and never again. One that is open for the node is withdrawn, so a
    request that is sent again leaves one good token: hence no Idempotency-Key, whose kept answer
    would hold the secret.

    409 when the name is not free: known at another site or with another role, asked for by a site
    out of reach, or one of the company's own programs'.
    """
    if not permit.reaches_site(new.site):
        raise not_found("site", new.site)
    with readable():
        network = None if new.network is None else checked_network(new.network)
    token = new_token(new.node)
    terms = Terms(
        node=new.node,
        site_id=new.site,
        site_name=new.site_name or new.site,
        role=new.role,
        network=network,
        confirm_key=new.confirm_key,
    )
    try:
        with context.storage.write() as conn:
            asker = Asker(permit.actor, permit.reaches_site)
            row = issue_token(conn, context.clock, desk.authority, asker, terms, token)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return MadeEnrolment(
        **Enrolment.fields_of(row),
        token=token.text,
        url=desk.url,
        ca_fingerprint=desk.authority.root_fingerprint,
    )


@router.get("/tokens", summary="Enrolments, newest first")
def list_tokens(
    context: ContextDep,
    permit: Reader,
    node: NodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Enrolment]:
    """Every enrolment in reach, the ended ones too; never the token itself."""
    after = decode_cursor(cursor, int)
    query = select(enrolment_tokens).where(permit.on_sites(enrolment_tokens.c.site_id))
    if node is not None:
        query = query.where(enrolment_tokens.c.node == node)
    if after is not None:
        query = query.where(enrolment_tokens.c.id < after[0])
    with context.storage.read() as conn:
        rows = conn.execute(query.order_by(enrolment_tokens.c.id.desc()).limit(limit + 1)).all()
    return page(rows, limit, Enrolment.of, lambda row: [row.id])


@router.get("/tokens/{enrolment_id}", responses=documented(HTTPStatus.NOT_FOUND))
def read_token(context: ContextDep, permit: Reader, enrolment_id: EnrolmentId) -> Enrolment:
    """One enrolment."""
    with context.storage.read() as conn:
        return Enrolment.of(_in_reach(conn, permit, enrolment_id))


@router.post("/tokens/{enrolment_id}/confirm", responses=_FOUND)
def confirm_key(
    context: ContextDep,
    permit: Confirmer,
    desk: DeskDep,
    enrolment_id: EnrolmentId,
    confirmation: Confirmation,
) -> Enrolment:
    """Lets in the host that shows this fingerprint; 409 when it presented another key."""
    sha256 = bytes.fromhex(confirmation.key_fingerprint.removeprefix(PREFIX))
    try:
        with context.storage.write() as conn:
            _in_reach(conn, permit, enrolment_id)
            confirmed = (enrolment_id, sha256)
            row = confirm(conn, context.clock, desk.authority, permit.actor, confirmed)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    context.wake()
    return Enrolment.of(row)


@router.post("/tokens/{enrolment_id}/refuse", responses=_FOUND)
def refuse_key(context: ContextDep, permit: Confirmer, enrolment_id: EnrolmentId) -> Enrolment:
    """Turns the host away that awaits confirmation."""
    try:
        with context.storage.write() as conn:
            _in_reach(conn, permit, enrolment_id)
            return Enrolment.of(refuse(conn, context.clock, permit.actor, enrolment_id))
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error


@router.post("/tokens/{enrolment_id}/withdraw", responses=_FOUND)
def withdraw_token(context: ContextDep, permit: Enroller, enrolment_id: EnrolmentId) -> Enrolment:
    """Makes an open token worthless."""
    try:
        with context.storage.write() as conn:
            _in_reach(conn, permit, enrolment_id)
            return Enrolment.of(withdraw(conn, context.clock, permit.actor, enrolment_id))
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error


@router.get("/certificates", summary="Certificates, newest first")
def list_certificates(
    context: ContextDep,
    permit: Reader,
    node: NodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Certificate]:
    """The certificates of nodes in reach, those that no longer count too."""
    after = decode_cursor(cursor, int, str)
    issued, serial = certificates.c.issued_real_ms, certificates.c.serial
    query = select(certificates).where(permit.on_nodes(certificates.c.node))
    if node is not None:
        query = query.where(certificates.c.node == node)
    if after is not None:
        older, same = issued < after[0], issued == after[0]
        query = query.where(older | (same & (serial < after[1])))
    query = query.order_by(issued.desc(), serial.desc()).limit(limit + 1)
    with context.storage.read() as conn:
        rows = conn.execute(query).all()
    return page(rows, limit, Certificate.of, lambda row: [row.issued_real_ms, row.serial])


@router.post("/revocations", status_code=HTTPStatus.CREATED, responses=_FOUND)
def revoke(context: ContextDep, permit: Revoker, desk: DeskDep, new: NewRevocation) -> Revoked:
    """Revokes a node's certificates, or one of them, and issues the next revocation list.

    Without `serial` the node's open tokens are withdrawn too. 409 when nothing was left to revoke.
    Certificates of the company's own programs (`controller`, `broker`, ...) are revoked by
    `serial`, with the right on the whole company. So are those that a restored database does not
    know, where `unknown` says that the serial is none that was mistyped.
    """
    company = permit.sites is None
    with context.storage.write() as conn:
        own_program = desk.authority.is_reserved(new.node)
        if not permit.reaches_node(conn, new.node) or (own_program and not company):
            raise not_found("node", new.node)
        if own_program and new.serial is None:
            problem = f"certificates of {new.node} are made on its host: name one by its serial"
            raise ProblemError(HTTPStatus.CONFLICT, problem)
        if new.unknown and new.serial is None:
            problem = "a certificate that stands in no table is named by its serial"
            raise ProblemError(HTTPStatus.CONFLICT, problem)
        listable = company and (own_program or new.unknown)
        if new.serial is not None and listable and not is_known(conn, new.serial):
            other = OtherRevocation(permit.actor, new.reason, new.serial, new.node)
            done = revoke_other(conn, context.clock, desk.authority, other)
            serials: Sequence[str] = [new.serial] if done else []
        else:
            revocation = Revocation(actor=permit.actor, reason=new.reason, serial=new.serial)
            serials = revoke_certificates(conn, context.clock, desk.authority, new.node, revocation)
        if not serials:
            raise ProblemError(HTTPStatus.CONFLICT, f"{new.node} has no such certificate in use")
        if new.serial is None:
            withdraw_all(conn, context.clock, permit.actor, new.node)
    context.wake()
    return Revoked(serials=list(serials))


def _in_reach(conn: Connection, permit: Permit, enrolment_id: int) -> Row[Any]:
    query = select(enrolment_tokens).where(
        enrolment_tokens.c.id == enrolment_id, permit.on_sites(enrolment_tokens.c.site_id)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        raise not_found("enrolment", enrolment_id)
    return row
