"""API tokens: shown once, kept as a hash, good for a part of what their owner may, for a time."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Row, insert, or_, select, update

from controller.access import people
from controller.access.callers import UserKind, grants_of
from controller.access.opaque import SHOWN_PREFIX, digest, new_token
from controller.access.permissions import COMPANY, Grant, Permission, Role, parse_scope
from controller.access.records import changed
from controller.clock import Clock
from controller.errors import ConflictError
from controller.storage.tables import api_tokens, role_grants, users
from shared.errors import BadInputError

MOST_DAYS = 366
_MOST_TOKENS = 50
_DAY_MS = 86_400_000
_USED_EVERY_MS = 300_000
_MIN_FILE, _MAX_FILE = 32, 512
SERVICE = "service"
"""The account of the programs that hold the token file of this host."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is for; `days` from 1 to `MOST_DAYS`."""

    name: str
    permissions: frozenset[Permission]
    days: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A token in the one moment in which it is known."""

    id: int
    token: str


def create_token(conn: Connection, clock: Clock, user_id: int, new: NewToken, by: str) -> Shown:
    """Makes a token. `ConflictError` when the account has too many already."""
    now_ms = clock.real_ms()
    known = select(api_tokens.c.id).where(
        api_tokens.c.user_id == user_id,
        api_tokens.c.revoked_real_ms.is_(None),
        api_tokens.c.expires_real_ms > now_ms,
    )
    if len(conn.scalars(known).all()) >= _MOST_TOKENS:
        raise ConflictError(f"an account has {_MOST_TOKENS} tokens at the most")
    token = new_token()
    token_id: int = conn.execute(
        insert(api_tokens)
        .values(
            user_id=user_id,
            name=new.name,
            prefix=token[:SHOWN_PREFIX],
            secret_sha256=digest(token),
            permissions=sorted(new.permissions),
            created_real_ms=now_ms,
            expires_real_ms=now_ms + new.days * _DAY_MS,
        )
        .returning(api_tokens.c.id)
    ).scalar_one()
    changed(
        conn,
        clock,
        "token.created",
        by,
        f"token:{token_id}",
        user=f"user:{user_id}",
        permissions=sorted(new.permissions),
        days=new.days,
    )
    return Shown(token_id, token)


def find_token(conn: Connection, token: str, now_ms: int) -> Row[Any] | None:
    """The row of a token that is good at `now_ms`, with its owner's columns; None: it is not."""
    if not 0 < len(token) <= _MAX_FILE:
        return None
    columns: list[Column[Any]] = [
        api_tokens.c.id,
        api_tokens.c.permissions,
        api_tokens.c.used_real_ms,
        api_tokens.c.user_id,
        users.c.name,
        users.c.kind,
    ]
    return conn.execute(
        select(*columns)
        .join(users, users.c.id == api_tokens.c.user_id)
        .where(
            api_tokens.c.secret_sha256 == digest(token),
            api_tokens.c.revoked_real_ms.is_(None),
            or_(api_tokens.c.expires_real_ms.is_(None), api_tokens.c.expires_real_ms > now_ms),
            users.c.disabled_real_ms.is_(None),
        )
    ).one_or_none()


def why_refused(conn: Connection, token: str, now_ms: int) -> tuple[int | None, str]:
    """Whose token was offered, and why `find_token` does not find it. None: nobody's."""
    if not 0 < len(token) <= _MAX_FILE:
        return None, "no token"
    columns: list[Column[Any]] = [
        api_tokens.c.user_id,
        api_tokens.c.revoked_real_ms,
        api_tokens.c.expires_real_ms,
    ]
    kept = select(*columns).where(api_tokens.c.secret_sha256 == digest(token))
    row = conn.execute(kept).one_or_none()
    if row is None:
        return None, "unknown"
    if row.revoked_real_ms is not None:
        return row.user_id, "revoked"
    if row.expires_real_ms is not None and row.expires_real_ms <= now_ms:
        return row.user_id, "expired"
    return row.user_id, "account disabled"


def is_use_stale(row: Row[Any], now_ms: int) -> bool:
    """Whether the token's last use is to be written again."""
    return row.used_real_ms is None or now_ms - row.used_real_ms >= _USED_EVERY_MS


def touch(conn: Connection, token_id: int, now_ms: int) -> None:
    """Writes that it was used."""
    conn.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(used_real_ms=now_ms))


def revoke_token(conn: Connection, clock: Clock, user_id: int, token_id: int, by: str) -> bool:
    """Ends a token at once; False when the account has no such token that is not ended."""
    revoked = conn.execute(
        update(api_tokens)
        .where(
            api_tokens.c.id == token_id,
            api_tokens.c.user_id == user_id,
            api_tokens.c.revoked_real_ms.is_(None),
        )
        .values(revoked_real_ms=clock.real_ms())
    ).rowcount
    if revoked:
        changed(conn, clock, "token.revoked", by, f"token:{token_id}", user=f"user:{user_id}")
    return bool(revoked)


def read_token_file(path: Path) -> str:
    """The token in a file; `BadInputError` when it is missing, too short, too long or not text."""
    try:
        with path.open("rb") as file:
            secret = file.read(_MAX_FILE + 2).strip()
    except OSError as error:
        raise BadInputError("http.token_file", str(error), "a readable file") from error
    in_a_header = all(0x21 <= byte <= 0x7E for byte in secret)
    if not _MIN_FILE <= len(secret) <= _MAX_FILE or not in_a_header:
        allowed = f"{_MIN_FILE} to {_MAX_FILE} printable ASCII characters without blanks"
        raise BadInputError("http.token_file", f"a token of {len(secret)} bytes", allowed)
    return secret.decode("ascii")


def enter_service_token(conn: Connection, clock: Clock, token: str, roles: Sequence[Role]) -> None:
    """Makes the token that of the account `service`, with just these roles on the company.

    The token of before, where the file of this host has changed, is revoked.
    """
    user_id = conn.scalar(select(users.c.id).where(users.c.name == SERVICE))
    if user_id is None:
        new = people.NewUser(SERVICE, "Programs on this host", UserKind.SERVICE, None)
        user_id = people.add_user(conn, clock, new, people.HOST)
    wanted = {Grant(role, COMPANY) for role in roles}
    held = conn.execute(select(role_grants).where(role_grants.c.user_id == user_id)).all()
    for row in held:
        if Grant(Role(row.role), parse_scope(row.scope)) not in wanted:
            people.revoke(conn, clock, user_id, row.id, people.HOST)
    for missing in sorted(wanted - set(grants_of(conn, user_id)), key=str):
        people.grant(conn, clock, user_id, missing, people.HOST)
    _replace_file_token(conn, clock, user_id, token)


def _replace_file_token(conn: Connection, clock: Clock, user_id: int, token: str) -> None:
    name = f"token file on {socket.gethostname()}"[:100]
    known = conn.execute(
        select(api_tokens).where(
            api_tokens.c.user_id == user_id, api_tokens.c.revoked_real_ms.is_(None)
        )
    ).all()
    if any(row.secret_sha256 == digest(token) for row in known):
        return
    for row in known:
        if row.name == name:
            revoke_token(conn, clock, user_id, row.id, people.HOST)
    token_id: int = conn.execute(
        insert(api_tokens)
        .values(
            user_id=user_id,
            name=name,
            prefix=token[:4],
            secret_sha256=digest(token),
            permissions=sorted(Permission),
            created_real_ms=clock.real_ms(),
        )
        .returning(api_tokens.c.id)
    ).scalar_one()
    changed(conn, clock, "token.entered", people.HOST, f"token:{token_id}")
