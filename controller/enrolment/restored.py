"""The database was put back to an older copy: what revocation lists and nodes know better than it.

The broker's file outlives a restore. Where it lists what the database does not know to be revoked,
or has a higher number, the database is the older of the two: it takes over what is listed, goes on
above that number, and makes every open token worthless, since the copy may hold one that was used
since. A node that renewed since the copy brings a certificate of ours that the database does not
know: it is entered, with an event, unless it is listed or the node has nothing left that counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography import x509
from sqlalchemy import Connection, Row, insert, select, update

from controller.audit import queue_leaf
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.enrolment.authority import Authority, HostRequest, Proof
from controller.enrolment.crl import issue_list, lock_list
from controller.enrolment.locks import lock_node
from controller.enrolment.renewal import CertificateState
from controller.enrolment.revoking import Revocation, revoke_row
from controller.enrolment.tokens import withdraw_every_one
from controller.fleet.commands import CONTROLLER
from controller.storage.engine import Storage
from controller.storage.tables import (
    certificates,
    nodes,
    other_revocations,
    revocation_lists,
    revocations,
)
from shared.errors import BadInputError
from shared.identity.errors import ChainError
from shared.identity.fingerprints import key_sha256
from shared.identity.keys import check_public_key
from shared.identity.names import node_of
from shared.identity.revocation import list_number
from shared.time import to_ms

READ_BACK = "read back from the revocation list: the database was put back"
_END = b"-----END X509 CRL-----"
_MOST_BYTES = 64 << 20
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Published:
    """A list of one of our issuers, as the file has it: serials in hexadecimal, when revoked."""

    issuer: str
    number: int
    entries: dict[str, int]


def published(authority: Authority, pem: bytes) -> list[Published]:
    """The lists in a file that our issuers signed; others, and what is none, are passed over."""
    found = []
    if len(pem) > _MOST_BYTES:
        return []
    for part in pem.split(_END)[:-1]:
        try:
            crl = x509.load_pem_x509_crl(part + _END)
            issuer, number = authority.lister_of(crl), list_number(crl)
        except (ValueError, BadInputError) as error:
            _log.error("a revocation list in the file is malformed", error=str(error)[:200])
            continue
        if issuer is not None:
            entries = {f"{one.serial_number:x}": to_ms(one.revocation_date_utc) for one in crl}
            found.append(Published(issuer, number, entries))
    return found


def read_back(storage: Storage, clock: Clock, authority: Authority, pem: bytes) -> bool:
    """Has the database learn what only the file (`pem`, read before) knows; whether there was any.

    A process that writes lists commits them before it writes the file: what the file has and the
    database then lacks, the database has lost.
    """
    known_better = False
    found = published(authority, pem)
    above: dict[str, int] = {}
    for one in found:
        above[one.issuer] = max(one.number, above.get(one.issuer, 0))
    for one in found:
        with storage.read() as conn:
            older = _is_older(conn, one)
        if older:
            with storage.write() as conn:
                known_better |= _learn(conn, clock, authority, one, above)
    return known_better


def _is_older(conn: Connection, one: Published) -> bool:
    query = select(revocation_lists.c.number).where(revocation_lists.c.issuer == one.issuer)
    return (conn.scalar(query) or 0) < one.number or bool(_missing(conn, one))


def _missing(conn: Connection, one: Published) -> list[str]:
    known = set(conn.scalars(select(revocations.c.serial)))
    known |= set(conn.scalars(select(other_revocations.c.serial)))
    return sorted(one.entries.keys() - known)


def _learn(
    conn: Connection, clock: Clock, authority: Authority, one: Published, above: Mapping[str, int]
) -> bool:
    """Takes over what is listed, and issues every list with a number higher than its in `above`;
    False when another replica just did.

    Whose certificate a serial is that stands in no table only its issuer could tell, and one of the
    company's own programs was put on every list: so it comes back on every list.
    """
    now_ms = clock.real_ms()
    kept_up = authority.issuers(now_ms)
    for issuer in sorted({one.issuer, *kept_up}):
        lock_list(conn, issuer)
    if not _is_older(conn, one):
        return False
    missing = _missing(conn, one)
    for serial in missing:
        row = conn.execute(
            select(certificates).where(certificates.c.serial == serial)
        ).one_or_none()
        if row is not None:
            revoke_row(conn, clock, row, Revocation(actor=CONTROLLER, reason=READ_BACK))
            continue
        conn.execute(
            insert(other_revocations).values(
                serial=serial,
                issuer=None,
                reason=READ_BACK,
                actor=CONTROLLER,
                revoked_real_ms=one.entries[serial],
                not_after_real_ms=max(now_ms, authority.last_end_ms),
            )
        )
    for issuer in kept_up:
        issue_list(conn, clock, authority, issuer, above=above.get(issuer, 0))
    if one.issuer not in kept_up:
        _note_number(conn, one)
    withdrawn = withdraw_every_one(conn, clock, CONTROLLER)
    detail = {"issuer": one.issuer, "list": one.number, "revoked": len(missing)}
    report(
        conn,
        kind=SecurityKind.DATABASE_PUT_BACK,
        subject="database",
        detail={**detail, "tokens_withdrawn": withdrawn},
        now_ms=clock.now_ms(),
    )
    _log.error("the database was put back to an older copy", **detail)
    return True


def _note_number(conn: Connection, one: Published) -> None:
    conn.execute(
        update(revocation_lists)
        .where(revocation_lists.c.issuer == one.issuer, revocation_lists.c.number < one.number)
        .values(number=one.number)
    )


def find_again(
    conn: Connection, clock: Clock, authority: Authority, proof: Proof, request: HostRequest
) -> Row[Any] | None:
    """Enters a node's certificate that this database lost: ours, proven, not listed, newer than all
    that is known of the node, which has one that still counts; its row, or None where it is not so.
    """
    certificate, issuer = proof.certificate, authority.issuer_of(proof.certificate)
    if (
        issuer is None
        or _name_of(certificate) != request.node
        or authority.is_reserved(request.node)
    ):
        return None
    if not authority.is_proven(proof, request, clock.real_ms()):
        return None
    if conn.scalar(select(nodes.c.name).where(nodes.c.name == request.node)) is None:
        return None
    lock_node(conn, request.node)
    if _is_listed(conn, proof.serial) or not _follows(conn, request.node, certificate):
        return None
    _enter(conn, clock, issuer, proof, request.node)
    return conn.execute(select(certificates).where(certificates.c.serial == proof.serial)).one()


def _name_of(certificate: x509.Certificate) -> str | None:
    try:
        return node_of(certificate)
    except ChainError:
        return None


def _is_listed(conn: Connection, serial: str) -> bool:
    query = select(other_revocations.c.serial).where(other_revocations.c.serial == serial)
    return conn.scalar(query) is not None


def _follows(conn: Connection, node: str, certificate: x509.Certificate) -> bool:
    known = conn.execute(select(certificates).where(certificates.c.node == node)).all()
    newest_ms = max((row.not_before_real_ms for row in known), default=None)
    counts = any(row.state != CertificateState.REVOKED.value for row in known)
    begins_ms = to_ms(certificate.not_valid_before_utc)
    return counts and newest_ms is not None and newest_ms <= begins_ms


def _enter(conn: Connection, clock: Clock, issuer: str, proof: Proof, node: str) -> None:
    certificate = proof.certificate
    sha256 = key_sha256(check_public_key(certificate.public_key()))
    conn.execute(
        insert(certificates).values(
            serial=proof.serial,
            issuer=issuer,
            node=node,
            key_sha256=sha256,
            not_before_real_ms=to_ms(certificate.not_valid_before_utc),
            not_after_real_ms=to_ms(certificate.not_valid_after_utc),
            state=CertificateState.ACTIVE.value,
            body=proof.der,
            issued_real_ms=to_ms(certificate.not_valid_before_utc),
        )
    )
    conn.execute(
        update(certificates)
        .where(
            certificates.c.node == node,
            certificates.c.state == CertificateState.ACTIVE.value,
            certificates.c.serial != proof.serial,
        )
        .values(
            state=CertificateState.SUPERSEDED.value,
            successor=proof.serial,
            version=certificates.c.version + 1,
        )
    )
    data = {"serial": proof.serial, "key_sha256": sha256}
    now_ms = clock.now_ms()
    queue_leaf(
        conn,
        kind="certificate.found_again",
        actor=f"node:{node}",
        subject=node,
        data=data,
        now_ms=now_ms,
    )
    report(
        conn,
        kind=SecurityKind.CERTIFICATE_FOUND_AGAIN,
        subject=node,
        detail={"serial": proof.serial},
        now_ms=now_ms,
    )
