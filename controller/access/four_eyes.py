"""What one administrator cannot do alone to another account.

A grant is asked for and given by `controller.access.approvals.grants`. What takes an administrator
away, or opens the way into an account whose agreement counts, is done on the controller's host
(`bes user`), by whoever may work there.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from controller.access.permissions import ROLES, Grant, Permission, Role

_AGREEING = frozenset({Permission.APPROVALS_REQUEST, Permission.APPROVALS_DECIDE})
PRIVILEGED = frozenset(role for role in Role if ROLES[role] & _AGREEING)
"""Roles with which two people's agreement could be forged by one who made a second account: it
would ask, and he would approve, or the other way round."""


@dataclass(frozen=True, slots=True)
class GrantChange:
    """A role that `by` would give to an account."""

    user_id: int
    grant: Grant
    by: int


def needs_approval(change: GrantChange, administrators: int) -> str | None:
    """Why a second administrator has to agree; None where one may do it alone.

    `administrators` counts the enabled accounts that administer the company. While there is one
    only, he may make others administrators, never raise himself.
    """
    if change.user_id == change.by:
        return "nobody grants a role to himself: a second administrator has to"
    if change.grant.role in PRIVILEGED and administrators > 1:
        return f"a second administrator has to agree to a new {change.grant.role.value}"
    return None


def why_not_remove(user_id: int, by: int, administrators: Collection[int]) -> str | None:
    """Why `by` may not take this account away from the administrators; None where he may.

    Otherwise one could be left over, who is then asked by nobody. One may step down oneself.
    """
    if user_id in administrators and user_id != by:
        return "no administrator takes another one away alone: it is done on the controller's host"
    return None


def why_not_reset(held: Iterable[Grant]) -> str | None:
    """Why the second factors of an account with these grants are not reset by one administrator;
    None where they are. With its password, a new factor would make him that person."""
    privileged = sorted({grant.role.value for grant in held if grant.role in PRIVILEGED})
    if privileged:
        return f"the factors of a {privileged[0]} are reset on the controller's host only"
    return None
