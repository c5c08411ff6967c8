"""Revocation lists: issued in the transaction that revokes, and again well before their end.

The list's row is locked to number the next one, and only then are the revocations read: whoever
revokes at the same time waits, and lists both.
"""

import os
from pathlib import Path

import structlog
from sqlalchemy import Connection, select, update

from controller.clock import Clock
from controller.enrolment.authority import Authority, Listed, list_pem
from controller.enrolment.renewal import LATE_RENEWAL_MS
from controller.storage.engine import Storage
from controller.storage.tables import revocation_lists, revocations
from controller.storage.upsert import insert_missing

_log = structlog.get_logger()


def issue_list(conn: Connection, clock: Clock, authority: Authority, issuer: str) -> None:
    """Issues the next list of an issuer, with everything revoked that could still renew itself."""
    now_ms = clock.real_ms()
    row = {
        "issuer": issuer,
        "number": 0,
        "this_update_real_ms": 0,
        "next_update_real_ms": 0,
        "body": b"",
    }
    insert_missing(conn, revocation_lists, [row], ["issuer"])
    number = conn.execute(
        update(revocation_lists)
        .where(revocation_lists.c.issuer == issuer)
        .values(number=revocation_lists.c.number + 1)
        .returning(revocation_lists.c.number)
    ).scalar_one()
    found = conn.execute(
        select(revocations)
        .where(
            revocations.c.issuer == issuer,
            revocations.c.not_after_real_ms > now_ms - LATE_RENEWAL_MS,
        )
        .order_by(revocations.c.serial)
    )
    listed = [Listed(int(row.serial, 16), row.revoked_real_ms) for row in found]
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


def due_issuers(conn: Connection, clock: Clock, authority: Authority) -> list[str]:
    """The issuers whose list is due or was never issued."""
    rows = {row.issuer: row for row in conn.execute(select(revocation_lists))}
    return [
        issuer
        for issuer in authority.issuers
        if issuer not in rows or authority.list_due(rows[issuer].body, clock.real_ms())
    ]


def keep_lists(conn: Connection, clock: Clock, authority: Authority) -> int:
    """Issues every list that is due or was never issued; how many."""
    due = due_issuers(conn, clock, authority)
    for issuer in due:
        issue_list(conn, clock, authority, issuer)
    return len(due)


def lists_pem(conn: Connection, authority: Authority) -> bytes:
    """The newest list of every issuer, in PEM, one after the other."""
    rows = conn.execute(
        select(revocation_lists.c.body)
        .where(revocation_lists.c.issuer.in_(authority.issuers))
        .order_by(revocation_lists.c.issuer)
    )
    return b"".join(list_pem(row.body) for row in rows)


class ListFile:
    """Keeps the broker's file at what the database says."""

    def __init__(self, storage: Storage, authority: Authority, path: Path) -> None:
        self._storage = storage
        self._authority = authority
        self._path = path

    def keep(self) -> bool:
        """Writes the file where it differs; whether it did. The file is replaced in one step."""
        with self._storage.read() as conn:
            wanted = lists_pem(conn, self._authority)
        if self._path.exists() and self._path.read_bytes() == wanted:
            return False
        making = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with making.open("wb") as file:
            file.write(wanted)
            file.flush()
            os.fsync(file.fileno())
        making.chmod(0o644)
        making.replace(self._path)
        _log.info("the revocation lists were written", file=str(self._path))
        return True
