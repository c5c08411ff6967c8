"""Certificates are taken back. Each call is one transaction's part, with a new list in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.audit import queue_leaf
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.detection.cut_off import request_cut_off
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.authority import Authority
from controller.enrolment.crl import issue_list
from controller.enrolment.locks import lock_node
from controller.enrolment.renewal import LATE_RENEWAL_MS, CertificateState
from controller.storage.tables import certificates, revocations


@dataclass(frozen=True, slots=True)
class Revocation:
    """Who takes certificates back, and why; of a single one where `serial` names it.

    `cut_off` has the node's live connection ended too; where the same node comes back as another
    host it would be that one's.
    """

    actor: str
    reason: str
    serial: str | None = None
    cut_off: bool = True


def revoke_certificates(
    conn: Connection, clock: Clock, authority: Authority, node: str, revocation: Revocation
) -> Sequence[str]:
    """Revokes a node's certificates, one or all that could still be used or renewed; their serials.

    Those that ran out count too while they could renew themselves.
    """
    now_ms = clock.real_ms()
    lock_node(conn, node)
    query = select(certificates).where(
        certificates.c.node == node,
        certificates.c.state != CertificateState.REVOKED.value,
        certificates.c.not_after_real_ms > now_ms - LATE_RENEWAL_MS,
    )
    if revocation.serial is not None:
        query = query.where(certificates.c.serial == revocation.serial)
    rows = conn.execute(query.order_by(certificates.c.serial)).all()
    for row in rows:
        _revoke(conn, clock, row, revocation)
    for issuer in sorted({row.issuer for row in rows}):
        if authority.can_list(issuer):
            issue_list(conn, clock, authority, issuer)
    if rows and revocation.cut_off:
        request_cut_off(conn, node, now_ms)
    if rows:
        record_change(conn, clock, ChangeKind.NODE, node, node)
    return [row.serial for row in rows]


def _revoke(conn: Connection, clock: Clock, row: Row[Any], revocation: Revocation) -> None:
    conn.execute(
        update(certificates)
        .where(certificates.c.serial == row.serial, certificates.c.version == row.version)
        .values(state=CertificateState.REVOKED.value, version=row.version + 1)
    )
    conn.execute(
        insert(revocations).values(
            serial=row.serial,
            issuer=row.issuer,
            node=row.node,
            reason=revocation.reason,
            actor=revocation.actor,
            revoked_real_ms=clock.real_ms(),
            not_after_real_ms=row.not_after_real_ms,
        )
    )
    detail = {"serial": row.serial, "reason": revocation.reason}
    queue_leaf(
        conn,
        kind="certificate.revoked",
        actor=revocation.actor,
        subject=row.node,
        data=detail,
        now_ms=clock.now_ms(),
    )
    report(
        conn,
        kind=SecurityKind.CERTIFICATE_REVOKED,
        subject=row.node,
        detail={**detail, "actor": revocation.actor},
        now_ms=clock.now_ms(),
    )
