"""Accounts and what they are granted, in the database. Every change leaves its leaf.

`by` is an actor as audit leaves name it (`Caller.actor`, or `host` for the command line on the
controller's host). Raised: `ConflictError` where the state forbids it, `MissingError`.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from controller.access import sessions as session_store
from controller.access.callers import UserKind
from controller.access.permissions import COMPANY, Grant, Role
from controller.access.records import changed
from controller.clock import Clock
from controller.errors import ConflictError, MissingError
from controller.storage.tables import api_tokens, passkeys, recovery_codes, role_grants, users
from controller.storage.upsert import insert_missing
from shared.errors import BadInputError

HOST = "host"
"""The actor of the command line: whoever may read the database on the controller's host."""

FIRST_PASSWORD_MS = 3 * 86_400_000
"""How long a password that somebody else has set opens the account."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_DISPLAY_NAME = 200


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to add; a service account has no password.

    `is_first_password`: somebody else has set it, and its owner has to change it in time.
    """

    name: str
    display_name: str
    kind: UserKind
    password_hash: str | None
    is_first_password: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        length = len(self.display_name)
        if not 0 < length <= _MAX_DISPLAY_NAME or _CONTROL.search(self.display_name):
            allowed = "1 to 200 characters, none of them a control character"
            raise BadInputError("display_name", "not such a text", allowed)


def is_name(name: str) -> bool:
    """Whether an account could be called so."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """The name of an account; `BadInputError` for anything else."""
    if not is_name(name):
        allowed = "1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit"
        raise BadInputError("name", repr(name[:80]), allowed)
    return name


def add_user(conn: Connection, clock: Clock, new: NewUser, by: str) -> int:
    """Adds an account without any grant; returns its id."""
    if conn.scalar(select(users.c.id).where(users.c.name == new.name)) is not None:
        raise ConflictError(f"there is an account {new.name!r} already")
    now_ms = clock.real_ms()
    user_id: int = conn.execute(
        insert(users)
        .values(
            name=new.name,
            display_name=new.display_name,
            kind=new.kind,
            password_hash=new.password_hash,
            password_changed_real_ms=now_ms if new.password_hash else None,
            first_password_until_real_ms=(
                now_ms + FIRST_PASSWORD_MS if new.is_first_password else None
            ),
            created_real_ms=now_ms,
        )
        .returning(users.c.id)
    ).scalar_one()
    changed(conn, clock, "user.added", by, f"user:{user_id}", account=new.kind.value)
    return user_id


def user_row(conn: Connection, user_id: int) -> Row[Any]:
    """An account's row, locked against other changes of it; rows that name it are written
    meanwhile (an approver's answer)."""
    query = select(users).where(users.c.id == user_id).with_for_update(key_share=True)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise MissingError("account", user_id)
    return row


def user_named(conn: Connection, name: str) -> Row[Any]:
    """An account's row by its name."""
    row = conn.execute(select(users).where(users.c.name == name)).one_or_none()
    if row is None:
        raise MissingError("account", name)
    return row


def administrators(conn: Connection) -> list[int]:
    """The ids of the enabled persons' accounts that administer the company."""
    query = (
        select(users.c.id)
        .join(role_grants, role_grants.c.user_id == users.c.id)
        .where(
            role_grants.c.role == Role.ADMINISTRATOR,
            role_grants.c.scope == str(COMPANY),
            users.c.disabled_real_ms.is_(None),
            users.c.kind == UserKind.PERSON,
        )
        .order_by(users.c.id)
    )
    return list(conn.scalars(query))


def lock_administrators(conn: Connection) -> list[int]:
    """`administrators`, held: of two who would take each other away, the second waits here and
    then finds himself alone. Locked by id, before any other account."""
    ids = administrators(conn)
    rows = select(users.c.id).where(users.c.id.in_(ids)).order_by(users.c.id)
    conn.execute(rows.with_for_update(key_share=True)).all()
    return administrators(conn)


def grant(conn: Connection, clock: Clock, user_id: int, given: Grant, by: str) -> int:
    """Grants a role on a scope and ends the account's sessions; returns the grant's id.

    Whether `by` may do so alone is judged before (`controller.access.four_eyes`).
    """
    user_row(conn, user_id)
    values = {
        "user_id": user_id,
        "role": given.role.value,
        "scope": str(given.scope),
        "granted_by": by,
        "created_real_ms": clock.real_ms(),
    }
    existing = select(role_grants.c.id).filter_by(
        user_id=user_id, role=values["role"], scope=values["scope"]
    )
    if conn.scalar(existing) is not None:
        raise ConflictError("the account has this grant already")
    insert_missing(conn, role_grants, [values], ["user_id", "role", "scope"])
    grant_id: int = conn.scalars(existing).one()
    session_store.end_all(conn, user_id)
    changed(
        conn,
        clock,
        "user.granted",
        by,
        f"user:{user_id}",
        role=given.role.value,
        scope=str(given.scope),
    )
    return grant_id


def revoke(conn: Connection, clock: Clock, user_id: int, grant_id: int, by: str) -> None:
    """Takes a grant back and ends the account's sessions. The last administrator stays."""
    before = lock_administrators(conn)
    user_row(conn, user_id)
    row = conn.execute(
        delete(role_grants)
        .where(role_grants.c.id == grant_id, role_grants.c.user_id == user_id)
        .returning(role_grants.c.role, role_grants.c.scope)
    ).one_or_none()
    if row is None:
        raise MissingError("grant of this account", grant_id)
    _keep_an_administrator(conn, before)
    session_store.end_all(conn, user_id)
    changed(conn, clock, "user.revoked", by, f"user:{user_id}", role=row.role, scope=row.scope)


def set_disabled(conn: Connection, clock: Clock, user_id: int, by: str, *, disabled: bool) -> None:
    """Disables an account, which ends its sessions and its tokens' use, or enables it again."""
    before = lock_administrators(conn)
    row = user_row(conn, user_id)
    if (row.disabled_real_ms is not None) == disabled:
        return
    conn.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(disabled_real_ms=clock.real_ms() if disabled else None, version=row.version + 1)
    )
    if disabled:
        _keep_an_administrator(conn, before)
        session_store.end_all(conn, user_id)
    changed(conn, clock, "user.disabled" if disabled else "user.enabled", by, f"user:{user_id}")


def set_password(
    conn: Connection,
    clock: Clock,
    user_id: int,
    password_hash: str,
    by: str,
    *,
    is_first: bool = False,
) -> None:
    """Sets a password; every session and API token of the account ends. `is_first`: it is set for
    its owner, who has to change it in time."""
    row = user_row(conn, user_id)
    if row.kind != UserKind.PERSON:
        raise ConflictError("a service account has no password")
    conn.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(
            password_hash=password_hash,
            password_changed_real_ms=clock.real_ms(),
            first_password_until_real_ms=(
                clock.real_ms() + FIRST_PASSWORD_MS if is_first else None
            ),
            version=row.version + 1,
        )
    )
    _end_all(conn, clock, user_id)
    changed(conn, clock, "user.password_changed", by, f"user:{user_id}")


def reset_factors(conn: Connection, clock: Clock, user_id: int, by: str) -> None:
    """Forgets every second factor of an account: a lost telephone. Its sessions and API tokens
    end."""
    row = user_row(conn, user_id)
    conn.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(totp_secret=None, totp_pending=None, version=row.version + 1)
    )
    for table in (passkeys, recovery_codes):
        conn.execute(delete(table).where(table.c.user_id == user_id))
    _end_all(conn, clock, user_id)
    changed(conn, clock, "user.factors_reset", by, f"user:{user_id}")


def _end_all(conn: Connection, clock: Clock, user_id: int) -> None:
    """Nothing goes on that was got with the password or the factors of before."""
    session_store.end_all(conn, user_id)
    tokens = api_tokens.c.user_id == user_id, api_tokens.c.revoked_real_ms.is_(None)
    conn.execute(update(api_tokens).where(*tokens).values(revoked_real_ms=clock.real_ms()))


def _keep_an_administrator(conn: Connection, before: list[int]) -> None:
    if before and not administrators(conn):
        raise ConflictError("the company would have no administrator left")
