"""Roles that one administrator cannot give alone: asked for here, given with another's approval."""

import secrets

from sqlalchemy import Connection, select

from controller.access import people
from controller.access.approvals.keys import Owner
from controller.access.approvals.requests import Wish, open_request
from controller.access.callers import grants_of
from controller.access.permissions import COMPANY, Grant, Permission, Role, allows, parse_scope
from controller.clock import Clock
from controller.errors import ConflictError
from controller.storage.tables import users
from shared.approvals.fields import UNIQUE_BYTES
from shared.approvals.intents import AnyIntent, GrantChange, UserGrantIntent
from shared.approvals.statement import MAX_PEOPLE, Policy

RULE = "second-administrator"
LIFETIME_MS = 7 * 86_400_000


def ask_grant(conn: Connection, clock: Clock, asking: Owner, user_id: int, wanted: Grant) -> str:
    """Puts a grant before the other administrators, one of whom has to agree; the request's id.

    Neither who asks nor who would be granted the role counts. `MissingError` for an unknown
    account, `ConflictError` when there is nobody else to agree.
    """
    target = people.user_row(conn, user_id)
    others = set(people.administrators(conn)) - {asking.user_id, user_id}
    names = conn.scalars(select(users.c.name).where(users.c.id.in_(sorted(others)))).all()
    if not names:
        raise ConflictError("there is no other administrator who could agree")
    until_ms = clock.now_ms() + LIFETIME_MS
    intent = UserGrantIntent(
        user=target.name,
        change=GrantChange.GRANT,
        role=wanted.role.value,
        scope=str(wanted.scope),
        deadline_ms=until_ms,
        unique=secrets.token_bytes(UNIQUE_BYTES),
    )
    policy = Policy.of(tuple(sorted(names)[:MAX_PEOPLE]), 1)
    wish = Wish(intent, asking.user_id, asking.name, asking.actor, policy, RULE, until_ms)
    return open_request(conn, clock, wish)


def give(conn: Connection, clock: Clock, intent: AnyIntent, initiator_id: int) -> str:
    """Gives an approved role, if who asked for it may still do so; the grant's id."""
    if not isinstance(intent, UserGrantIntent) or intent.change is not GrantChange.GRANT:
        raise TypeError(f"an intent of kind {intent.kind.value} gives no role")
    people.lock_administrators(conn)  # before any other account, as everywhere
    initiator = people.user_row(conn, initiator_id)
    may = allows(grants_of(conn, initiator_id), Permission.USERS_CHANGE, COMPANY)
    if initiator.disabled_real_ms is not None or not may:
        raise ConflictError(f"{initiator.name}, who asked for it, is no administrator any more")
    target = people.user_named(conn, intent.user)
    given = Grant(Role(intent.role), parse_scope(intent.scope))
    by = f"user:{initiator_id}"
    return f"grant:{people.grant(conn, clock, target.id, given, by)}"
