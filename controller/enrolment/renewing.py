"""A node renews its certificate: proven by the key it has, for a key that is new."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.audit.people import Personal
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.authority import Authority, HostRequest, Proof
from controller.enrolment.issuing import issue_certificate
from controller.enrolment.locks import lock_node
from controller.enrolment.renewal import (
    CertificateState,
    Held,
    RenewalRefusal,
    RenewalVerdict,
    Wish,
    judge_renewal,
)
from controller.enrolment.restored import find_again
from controller.storage.tables import certificates


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a node sent, and from where: the proof of its key, the request for the new one."""

    proof: Proof
    request: HostRequest
    address: str


def renew(
    conn: Connection, clock: Clock, authority: Authority, renewal: Renewal
) -> Row[Any] | RenewalRefusal:
    """The new certificate's row, or why not; either way with what it records, within `conn`."""
    request = renewal.request
    row = _find(conn, clock, authority, renewal)
    proven = row is not None and authority.is_proven(renewal.proof, request, clock.real_ms())
    wish = Wish(request.node, request.key_sha256)
    held = None if row is None else _held(conn, row)
    verdict = judge_renewal(held, wish, clock.real_ms(), proven=proven)
    if row is not None and authority.is_reserved(row.node):
        verdict = RenewalRefusal.RESERVED_NAME
    if row is None or isinstance(verdict, RenewalRefusal):
        refusal = (
            verdict if isinstance(verdict, RenewalRefusal) else RenewalRefusal.UNKNOWN_CERTIFICATE
        )
        _record(conn, clock, renewal, SecurityKind.RENEWAL_REFUSED, refusal.value)
        return refusal
    if verdict is RenewalVerdict.DELIVER_AGAIN:
        return _by_serial(conn, row.successor)
    serial = issue_certificate(conn, clock, authority, f"node:{row.node}", request)
    conn.execute(
        update(certificates)
        .where(certificates.c.serial == row.serial, certificates.c.version == row.version)
        .values(state=CertificateState.SUPERSEDED.value, successor=serial, version=row.version + 1)
    )
    if verdict is RenewalVerdict.ISSUE_LATE:
        late_ms = clock.real_ms() - row.not_after_real_ms
        _record(conn, clock, renewal, SecurityKind.RENEWED_LATE, f"{late_ms} ms after its end")
    return _by_serial(conn, serial)


def _find(
    conn: Connection, clock: Clock, authority: Authority, renewal: Renewal
) -> Row[Any] | None:
    """The certificate's row; None where it is not exactly one that we issued. One that a restored
    database does not know is entered.

    Its node is locked first: whoever revokes all of a node's certificates waits, and then finds the
    new one as well.
    """
    proof = renewal.proof
    query = select(certificates).where(certificates.c.serial == proof.serial)
    row = conn.execute(query).one_or_none()
    if row is None:
        return find_again(conn, clock, authority, proof, renewal.request)
    if row.body != proof.der:
        return None
    lock_node(conn, row.node)
    return conn.execute(query).one()


def _held(conn: Connection, row: Row[Any]) -> Held:
    successor = None
    if row.successor is not None:
        successor = _by_serial(conn, row.successor).key_sha256
    return Held(
        state=CertificateState(row.state),
        node=row.node,
        key_sha256=row.key_sha256,
        not_after_ms=row.not_after_real_ms,
        successor_key_sha256=successor,
    )


def _by_serial(conn: Connection, serial: str) -> Row[Any]:
    return conn.execute(select(certificates).where(certificates.c.serial == serial)).one()


def _record(conn: Connection, clock: Clock, renewal: Renewal, kind: SecurityKind, why: str) -> None:
    report(
        conn,
        kind=kind,
        subject=renewal.request.node,
        detail={
            "why": why,
            "serial": renewal.proof.serial,
            "asked_for": renewal.request.node,
            "key_sha256": renewal.request.key_sha256.hex(),
            "from": Personal("address", renewal.address or "unknown"),
        },
        now_ms=clock.now_ms(),
    )
