"""Who is calling: an account with its grants, come by a session or by a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from controller.access.permissions import (
    Grant,
    Permission,
    Role,
    Scope,
    ScopeKind,
    allows,
    allows_somewhere,
    granted_ids,
    parse_scope,
)
from controller.access.session_life import Stage
from controller.storage.tables import role_grants


class UserKind(StrEnum):
    """What kind of account it is."""

    PERSON = "person"
    SERVICE = "service"
    """A program: it has tokens and no password."""


@dataclass(frozen=True, slots=True)
class SessionRef:
    """The session that a caller came by."""

    id: int
    stage: Stage
    csrf: str
    has_first_password: bool = False
    """Whether the password is one that somebody else has set."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account. `limited_to` is what a token may be used for at the most."""

    user_id: int
    name: str
    kind: UserKind
    grants: tuple[Grant, ...]
    session: SessionRef | None = None
    token_id: int | None = None
    limited_to: frozenset[Permission] | None = None

    @property
    def actor(self) -> str:
        """As audit leaves, commands and events name it: never a person's name."""
        return f"user:{self.user_id}"

    def may(self, permission: Permission, scope: Scope) -> bool:
        """Whether the caller has the permission on the scope."""
        return self._within_token(permission) and allows(self.grants, permission, scope)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether the caller has the permission on any scope."""
        return self._within_token(permission) and allows_somewhere(self.grants, permission)

    def sites(self, permission: Permission) -> frozenset[str] | None:
        """The ids of the sites on which the caller has the permission; None: every one."""
        if not self._within_token(permission):
            return frozenset()
        return granted_ids(self.grants, permission, ScopeKind.SITE)

    def _within_token(self, permission: Permission) -> bool:
        if self.token_id is None:
            return True
        if permission is Permission.APPROVALS_DECIDE:  # a person decides, a token never
            return False
        return self.limited_to is None or permission in self.limited_to


def grants_of(conn: Connection, user_id: int) -> tuple[Grant, ...]:
    """What an account is granted."""
    rows = conn.execute(
        select(role_grants.c.role, role_grants.c.scope).where(role_grants.c.user_id == user_id)
    )
    return tuple(Grant(Role(row.role), parse_scope(row.scope)) for row in rows)


def permissions_of(caller: Caller) -> Mapping[str, list[str] | None]:
    """Each permission that the caller has, with the sites it holds for; None: everywhere."""
    shown: dict[str, list[str] | None] = {}
    for permission in Permission:
        if caller.may_somewhere(permission):
            sites = caller.sites(permission)
            shown[permission.value] = None if sites is None else sorted(sites)
    return shown
