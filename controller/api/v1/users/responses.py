"""Accounts, as administrators see them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.access.callers import UserKind
from controller.access.permissions import Role
from shared.time import from_ms


class GrantView(BaseModel):
    """A role on a scope."""

    id: int
    role: Role
    scope: str
    granted_by: str


class UserView(BaseModel):
    """An account."""

    id: int
    name: str
    display_name: str
    kind: UserKind
    disabled: bool
    locked: bool = Field(description="By failed attempts to sign in")
    totp: bool
    created: datetime
    grants: list[GrantView]

    @classmethod
    def of(cls, row: Row[Any], grants: list[GrantView], *, locked: bool) -> "UserView":
        """From its row."""
        return cls(
            id=row.id,
            name=row.name,
            display_name=row.display_name,
            kind=UserKind(row.kind),
            disabled=row.disabled_real_ms is not None,
            locked=locked,
            totp=row.totp_secret is not None,
            created=from_ms(row.created_real_ms),
            grants=grants,
        )
