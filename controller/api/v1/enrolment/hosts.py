"""`/api/v1/enrolment` for hosts: nobody is signed in here, a token or a key speaks for them."""

import base64
from http import HTTPStatus
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection, Row, select

from controller.api.context import ContextDep
from controller.api.guard import Open
from controller.api.problems import ProblemError, documented
from controller.api.v1.enrolment.bodies import (
    AddressDep,
    BodyDep,
    DeskDep,
    described,
    knock,
    parsed,
    punish,
    readable,
)
from controller.api.v1.enrolment.requests import Join, Renew
from controller.api.v1.enrolment.responses import (
    Admitted,
    Awaiting,
    BrokerPlace,
    OneChallenge,
    Renewed,
    Trust,
    fingerprint,
)
from controller.enrolment.authority import HostRequest, Proof, read_request
from controller.enrolment.crl import lists_pem
from controller.enrolment.desk import EnrolmentDesk
from controller.enrolment.joining import LetIn, Presented, Waiting, join
from controller.enrolment.judge import Refusal
from controller.enrolment.renewal import RenewalRefusal
from controller.enrolment.renewing import Renewal, renew
from controller.errors import ConflictError
from controller.storage.tables import certificates
from shared.enrolment import parse_token
from shared.identity import pem
from shared.identity.renewal import Challenge
from shared.time import from_ms

ASK_AGAIN_AFTER_S = 5
_CONFIGURED = documented(HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
_GUARDED = documented(
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)

_PUBLIC = Depends(Open("public: a host that has no identity yet must be able to read it"))
_BY_TOKEN = Depends(Open("an enrolment token speaks for the host"))
_BY_KEY = Depends(Open("the key of the node's certificate speaks for it"))

router = APIRouter(prefix="/enrolment", tags=["enrolment"])


@router.get(
    "/trust",
    summary="The authorities",
    dependencies=[_PUBLIC, Depends(knock)],
    responses=_CONFIGURED,
)
def read_trust(desk: DeskDep) -> Trust:
    """For a host that compares a root with the fingerprint that it was given."""
    return Trust(authorities=desk.authority.bundle_pem)


@router.get(
    "/crl",
    summary="The revocation lists",
    dependencies=[_PUBLIC, Depends(knock)],
    response_class=Response,
    responses={
        **_CONFIGURED,
        200: {"content": {"application/x-pem-file": {"schema": {"type": "string"}}}},
    },
)
def read_lists(context: ContextDep, desk: DeskDep) -> Response:
    """The newest list of every issuer, in PEM, one after the other."""
    with context.storage.read() as conn:
        lists = lists_pem(conn, context.clock, desk.authority)
    return Response(lists, media_type="application/x-pem-file")


@router.post(
    "/join",
    summary="A host presents its token",
    response_model=Admitted | Awaiting,
    dependencies=[_BY_TOKEN, Depends(knock)],
    openapi_extra=described(Join),
    responses={
        **_GUARDED,
        202: {"model": Awaiting, "description": "The operator has yet to confirm the key"},
    },
)
def take_in(
    context: ContextDep, desk: DeskDep, address: AddressDep, body: BodyDep, response: Response
) -> Admitted | Awaiting:
    """Lets the host in, or asks it to wait. Sent again with the same key it is answered the same.

    403 for a token that is used, late, withdrawn or unknown, for another name or another place.
    """
    offered = parsed(body, Join)
    with readable():
        presented = Presented(parse_token(offered.token), _host_request(offered.request), address)
    try:
        with context.storage.write() as conn:
            outcome = join(conn, context.clock, desk.authority, presented)
            answer = _answer(conn, desk, outcome)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    context.wake()
    if isinstance(answer, Refusal):
        punish(desk, address)
        raise ProblemError(HTTPStatus.FORBIDDEN, f"the token is refused: {answer.value}")
    if isinstance(answer, Awaiting):
        response.status_code = HTTPStatus.ACCEPTED
    return answer


@router.post(
    "/challenge",
    summary="What to sign for a renewal",
    dependencies=[_BY_KEY, Depends(knock)],
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
)
def challenge(context: ContextDep, desk: DeskDep) -> OneChallenge:
    """A fresh challenge; it is good for five minutes."""
    made = desk.authority.new_challenge(context.clock.real_ms())
    return OneChallenge(nonce=base64.b64encode(made.nonce).decode(), issued_ms=made.issued_ms)


@router.post(
    "/renew",
    summary="A node renews its certificate",
    dependencies=[_BY_KEY, Depends(knock)],
    openapi_extra=described(Renew),
    responses=_GUARDED,
)
def renew_certificate(
    context: ContextDep, desk: DeskDep, address: AddressDep, body: BodyDep
) -> Renewed:
    """The next certificate, for a new key; also up to 90 days after the current one's end.

    403 when it is revoked, was renewed before, ended too long ago, is another node's, or its key is
    not proven.
    """
    asked = parsed(body, Renew)
    with readable():
        proof = Proof(
            certificate=pem.read_certificates(asked.certificate.encode())[0],
            challenge=Challenge(base64.b64decode(asked.nonce), asked.issued_ms),
            signature=base64.b64decode(asked.proof),
        )
        renewal = Renewal(proof, _host_request(asked.request), address)
    try:
        with context.storage.write() as conn:
            outcome = renew(conn, context.clock, desk.authority, renewal)
    except ConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    if isinstance(outcome, RenewalRefusal):
        punish(desk, address)
        raise ProblemError(HTTPStatus.FORBIDDEN, f"not renewed: {outcome.value}")
    return Renewed(
        certificate=desk.authority.chain_pem(outcome.body, outcome.issuer),
        authorities=desk.authority.bundle_pem,
    )


def _host_request(text: str) -> HostRequest:
    return read_request(pem.read_request(text.encode()).public_bytes(Encoding.DER))


def _answer(
    conn: Connection, desk: EnrolmentDesk, outcome: LetIn | Waiting | Refusal
) -> Admitted | Awaiting | Refusal:
    match outcome:
        case Refusal():
            return outcome
        case Waiting(enrolment):
            return _awaiting(enrolment)
        case LetIn(enrolment):
            return _admitted(conn, desk, enrolment)


def _admitted(conn: Connection, desk: EnrolmentDesk, enrolment: Row[Any]) -> Admitted:
    query = select(certificates).where(certificates.c.serial == enrolment.certificate)
    certificate = conn.execute(query).one()
    return Admitted(
        node=enrolment.node,
        site=enrolment.site_id,
        role=enrolment.role,
        certificate=desk.authority.chain_pem(certificate.body, certificate.issuer),
        authorities=desk.authority.bundle_pem,
        broker=BrokerPlace(host=desk.broker_host, port=desk.broker_port),
        command_keys=desk.command_keys,
        url=desk.url,
    )


def _awaiting(enrolment: Row[Any]) -> Awaiting:
    return Awaiting(
        key_fingerprint=str(fingerprint(enrolment.key_sha256)),
        until=from_ms(enrolment.expires_real_ms),
        ask_again_after_s=ASK_AGAIN_AFTER_S,
    )
