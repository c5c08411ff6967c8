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
from controller.storage.tables import certificates, other_revocations, revocations


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
        revoke_row(conn, clock, row, revocation)
    for issuer in sorted({row.issuer for row in rows} & set(authority.issuers(now_ms))):
        issue_list(conn, clock, authority, issuer)
    if rows and revocation.cut_off:
        request_cut_off(conn, node, now_ms)
    if rows:
        record_change(conn, clock, ChangeKind.NODE, node, node)
    return [row.serial for row in rows]


@dataclass(frozen=True, slots=True)
class OtherRevocation:
    """A certificate taken back that stands in no table: one of the company's own programs, made on
    their host, or one that a restored database does not know. `name` is whom it speaks for."""

    actor: str
    reason: str
    serial: str
    name: str


def revoke_other(
    conn: Connection, clock: Clock, authority: Authority, other: OtherRevocation
) -> bool:
    """Puts a serial on every issuer's list; False when it stands there already.

    A node's live connection is cut. None of the company's own programs' is: the one that goes on
    with its next certificate has the same name.
    """
    now_ms = clock.real_ms()
    known = select(other_revocations.c.serial).where(other_revocations.c.serial == other.serial)
    if conn.scalar(known) is not None:
        return False
    conn.execute(
        insert(other_revocations).values(
            serial=other.serial,
            issuer=None,
            name=other.name,
            reason=other.reason,
            actor=other.actor,
            revoked_real_ms=now_ms,
            not_after_real_ms=max(now_ms, authority.last_end_ms),
        )
    )
    for issuer in authority.issuers(now_ms):
        issue_list(conn, clock, authority, issuer)
    if not authority.is_reserved(other.name):
        request_cut_off(conn, other.name, now_ms)
    _tell(conn, clock, other.name, other.serial, other)
    return True


def is_known(conn: Connection, serial: str) -> bool:
    """Whether a serial stands in `certificates`, whosever it is."""
    query = select(certificates.c.serial).where(certificates.c.serial == serial)
    return conn.scalar(query) is not None


def revoke_row(conn: Connection, clock: Clock, row: Row[Any], revocation: Revocation) -> None:
    """Takes one certificate back; the next list is the caller's to issue."""
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
    _tell(conn, clock, row.node, row.serial, revocation)


def _tell(
    conn: Connection, clock: Clock, name: str, serial: str, why: Revocation | OtherRevocation
) -> None:
    detail = {"serial": serial, "reason": why.reason}
    queue_leaf(
        conn,
        kind="certificate.revoked",
        actor=why.actor,
        subject=name,
        data=detail,
        now_ms=clock.now_ms(),
    )
    report(
        conn,
        kind=SecurityKind.CERTIFICATE_REVOKED,
        subject=name,
        detail={**detail, "actor": why.actor},
        now_ms=clock.now_ms(),
    )
