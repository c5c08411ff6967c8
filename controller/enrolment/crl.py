"""Revocation lists: issued in the transaction that revokes, and again well before their end.

The list's row is locked to number the next one, and only then are the revocations read: whoever
revokes at the same time waits, and lists both.
"""

import structlog
from sqlalchemy import Connection, case, select, update

from controller.clock import Clock
from controller.enrolment.authority import Authority, Listed, list_pem
from controller.enrolment.renewal import LATE_RENEWAL_MS
from controller.storage.engine import Storage
from controller.storage.tables import other_revocations, revocation_lists, revocations
from controller.storage.upsert import insert_missing
from shared.identity.errors import IdentityError

_log = structlog.get_logger()


def issue_list(
    conn: Connection, clock: Clock, authority: Authority, issuer: str, above: int = 0
) -> None:
    """Issues the next list of an issuer, with everything revoked that could still renew itself. Its
    number is the next, and higher than `above`."""
    now_ms = clock.real_ms()
    lock_list(conn, issuer)
    before = revocation_lists.c.number
    number = conn.execute(
        update(revocation_lists)
        .where(revocation_lists.c.issuer == issuer)
        .values(number=case((before < above, above), else_=before) + 1)
        .returning(before)
    ).scalar_one()
    listed = _listed(conn, issuer, now_ms)
    issued = authority.issue_list(issuer, number, listed, now_ms)
    conn.execute(
        update(revocation_lists)
        .where(revocation_lists.c.issuer == issuer)
        .values(
            this_update_real_ms=issued.this_update_ms,
            next_update_real_ms=issued.next_update_ms,
            body=issued.der,
        )
    )


def lock_list(conn: Connection, issuer: str) -> None:
    """Holds an issuer's list until the transaction ends; it is entered where it is new."""
    row = {
        "issuer": issuer,
        "number": 0,
        "this_update_real_ms": 0,
        "next_update_real_ms": 0,
        "body": b"",
    }
    insert_missing(conn, revocation_lists, [row], ["issuer"])
    query = select(revocation_lists.c.number).where(revocation_lists.c.issuer == issuer)
    conn.execute(query.with_for_update())


def _listed(conn: Connection, issuer: str, now_ms: int) -> list[Listed]:
    since_ms = now_ms - LATE_RENEWAL_MS
    own = select(revocations.c.serial, revocations.c.revoked_real_ms).where(
        revocations.c.issuer == issuer, revocations.c.not_after_real_ms > since_ms
    )
    others = select(other_revocations.c.serial, other_revocations.c.revoked_real_ms).where(
        other_revocations.c.issuer.is_(None) | (other_revocations.c.issuer == issuer),
        other_revocations.c.not_after_real_ms > since_ms,
    )
    found = conn.execute(own.union_all(others).order_by("serial"))
    return [Listed(int(row.serial, 16), row.revoked_real_ms) for row in found]


def due_issuers(conn: Connection, clock: Clock, authority: Authority) -> list[str]:
    """The issuers whose list is due or was never issued."""
    now_ms = clock.real_ms()
    rows = {row.issuer: row for row in conn.execute(select(revocation_lists))}
    return [
        issuer
        for issuer in authority.issuers(now_ms)
        if issuer not in rows or authority.list_due(rows[issuer].body, now_ms)
    ]


def keep_lists(storage: Storage, clock: Clock, authority: Authority) -> int:
    """Issues every list that is due or was never issued; how many. Each is a transaction of its
    own: one that cannot be issued keeps up no other, and raises when the others are done."""
    with storage.read() as conn:
        due = due_issuers(conn, clock, authority)
    problem: Exception | None = None
    for issuer in due:
        try:
            with storage.write() as conn:
                issue_list(conn, clock, authority, issuer)
        except (ValueError, IdentityError) as error:
            _log.error("a revocation list cannot be issued", issuer=issuer, error=str(error)[:300])
            problem = error
    if problem is not None:
        raise problem
    return len(due)


def lists_pem(conn: Connection, clock: Clock, authority: Authority) -> bytes:
    """The newest list of every issuer that is not past its end, in PEM, one after the other."""
    rows = conn.execute(
        select(revocation_lists.c.body)
        .where(
            revocation_lists.c.issuer.in_(authority.issuers(clock.real_ms())),
            revocation_lists.c.number > 0,
        )
        .order_by(revocation_lists.c.issuer)
    )
    return b"".join(list_pem(row.body) for row in rows)
