"""Which grants one administrator cannot make alone.

Such a grant is asked for and given by `controller.access.approvals.grants`.
"""

from dataclasses import dataclass

from controller.access.permissions import Grant, Role

PRIVILEGED = frozenset({Role.ADMINISTRATOR, Role.TREASURER, Role.COMPLIANCE_OFFICER})
"""Roles with which two people's agreement could be forged by one who made a second account."""


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
