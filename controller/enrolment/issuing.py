"""Certificates enter the world here, and nodes with them. Each call is one transaction's part."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.audit import queue_leaf
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.cut_off import call_off_cuts
from controller.enrolment.authority import Authority, HostRequest, read_request
from controller.enrolment.judge import taken
from controller.enrolment.locks import lock_node
from controller.enrolment.renewal import CertificateState
from controller.enrolment.revoking import Revocation, revoke_certificates
from controller.errors import ConflictError
from controller.fleet.commands import CONTROLLER
from controller.fleet.presence import enter_node
from controller.storage.tables import certificates, enrolment_tokens, nodes, sites
from controller.storage.upsert import insert_missing

ENROLLED_ANEW = "the node was enrolled anew"


def admit(
    conn: Connection, clock: Clock, authority: Authority, actor: str, row: Row[Any]
) -> Row[Any]:
    """Issues the certificate of an enrolment that has just become `used`; its row with it.

    Site and node enter where they are new. Certificates that the node had before are revoked: its
    old host must not speak as the node any more. Its live connection ends when the new host makes
    its own, under the same client id; what was still to be cut off would be the new one's.
    `ConflictError` when the name is not to be had.
    """
    if authority.is_reserved(row.node):
        raise ConflictError(taken(row.node))
    _enter(conn, clock, row)
    call_off_cuts(conn, row.node)
    old = Revocation(actor=CONTROLLER, reason=ENROLLED_ANEW, cut_off=False)
    revoke_certificates(conn, clock, authority, row.node, old)
    request = read_request(row.request)
    serial = issue_certificate(conn, clock, authority, actor, request)
    record_change(conn, clock, ChangeKind.NODE, row.node, row.node)
    return conn.execute(
        update(enrolment_tokens)
        .where(enrolment_tokens.c.id == row.id)
        .values(certificate=serial)
        .returning(*enrolment_tokens.c)
    ).one()


def issue_certificate(
    conn: Connection, clock: Clock, authority: Authority, actor: str, request: HostRequest
) -> str:
    """Signs a certificate for the request's name and key and writes it down; its serial in hex."""
    issued = authority.issue(request, clock.real_ms())
    conn.execute(
        insert(certificates).values(
            serial=issued.serial,
            issuer=issued.issuer,
            node=request.node,
            key_sha256=request.key_sha256,
            not_before_real_ms=issued.not_before_ms,
            not_after_real_ms=issued.not_after_ms,
            state=CertificateState.ACTIVE.value,
            body=issued.der,
            issued_real_ms=clock.real_ms(),
        )
    )
    queue_leaf(
        conn,
        kind="certificate.issued",
        actor=actor,
        subject=request.node,
        data={
            "serial": issued.serial,
            "key_sha256": request.key_sha256,
            "not_after_ms": issued.not_after_ms,
        },
        now_ms=clock.now_ms(),
    )
    return issued.serial


def _enter(conn: Connection, clock: Clock, row: Row[Any]) -> None:
    """The node's name may be another site's: its host is not told whose."""
    site = {"id": row.site_id, "name": row.site_name, "created_ms": clock.now_ms()}
    insert_missing(conn, sites, [site], ["id"])
    try:
        enter_node(conn, clock, row.node, row.site_id, row.role)
    except ConflictError as error:
        raise ConflictError(taken(row.node)) from error
    lock_node(conn, row.node)
    role = conn.scalar(select(nodes.c.role).where(nodes.c.name == row.node))
    if role != row.role:
        raise ConflictError(taken(row.node))
