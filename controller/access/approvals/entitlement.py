"""Who may ask for an intent and who may decide on it, judged anew whenever it matters.

A right that was taken away between the asking and the act takes along what stood on it: an approval
of somebody who may no longer decide does not count, and what somebody asked for who may no longer
ask is not begun; nor is what was asked for with an API token that is no longer good for it.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.access.approvals.attempts import RefusedAttemptError
from controller.access.approvals.keys import is_in_force, keys_of
from controller.access.callers import grants_of
from controller.access.permissions import (
    COMPANY,
    Permission,
    Scope,
    allows,
    site_scope,
    wallet_scope,
)
from controller.clock import Clock
from controller.storage.tables import api_tokens, users
from shared.approvals.intents import AnyIntent, CommandIntent, IntentKind, PaymentIntent

_ASKING: Mapping[IntentKind, Permission] = MappingProxyType(
    {
        IntentKind.PAYMENT: Permission.APPROVALS_REQUEST,
        IntentKind.CONTRACT: Permission.APPROVALS_REQUEST,
        IntentKind.COMMAND: Permission.COMMANDS_ISSUE,
        IntentKind.POLICY: Permission.RETENTION_CHANGE,
        IntentKind.USER_GRANT: Permission.USERS_CHANGE,
    }
)
_DECIDING: Mapping[IntentKind, tuple[Permission, ...]] = MappingProxyType(
    {
        kind: (Permission.APPROVALS_DECIDE,)
        if kind is not IntentKind.USER_GRANT
        else (Permission.APPROVALS_DECIDE, Permission.USERS_CHANGE)
        for kind in IntentKind
    }
)


def scope_of(intent: AnyIntent) -> Scope:
    """Where one must be entitled to ask for it and to decide on it."""
    match intent:
        case CommandIntent(site=site):
            return site_scope(site)
        case PaymentIntent(wallet=wallet):
            return wallet_scope(wallet)
    return COMPANY


def may_decide(conn: Connection, user_id: int, intent: AnyIntent) -> bool:
    """Whether the account's grants let it decide on the intent now."""
    grants, scope = grants_of(conn, user_id), scope_of(intent)
    return all(allows(grants, needed, scope) for needed in _DECIDING[intent.kind])


def keys_that_decide(conn: Connection, intent: AnyIntent) -> Iterable[Row[Any]]:
    """The keys in force whose owners may decide on the intent now."""
    in_force = [row for row in keys_of(conn) if is_in_force(row)]
    entitled = {
        owner: may_decide(conn, owner, intent) for owner in {row.user_id for row in in_force}
    }
    return [row for row in in_force if entitled[row.user_id]]


def check_initiator(conn: Connection, clock: Clock, request: Row[Any], intent: AnyIntent) -> None:
    """`RefusedAttemptError` unless who asked for the intent could still ask for it, with the token
    that he asked with where it was one."""
    user_id, needed = request.initiator_id, _ASKING[intent.kind]
    row = conn.execute(select(users).where(users.c.id == user_id)).one()
    may = allows(grants_of(conn, user_id), needed, scope_of(intent))
    if row.disabled_real_ms is not None or not may:
        text = f"{row.name}, who asked for it, may not ask for it any more"
        raise RefusedAttemptError(request.id, "initiator not entitled", text)
    token_id = request.token_id
    if token_id is not None and not _is_good(conn, token_id, needed, clock.real_ms()):
        text = f"the API token that {row.name} asked for it with is no longer good for it"
        raise RefusedAttemptError(request.id, "initiator's token not good", text)


def _is_good(conn: Connection, token_id: int, needed: Permission, now_ms: int) -> bool:
    row = conn.execute(select(api_tokens).where(api_tokens.c.id == token_id)).one_or_none()
    if row is None or row.revoked_real_ms is not None or needed.value not in row.permissions:
        return False
    return row.expires_real_ms is None or now_ms < row.expires_real_ms
