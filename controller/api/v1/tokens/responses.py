"""Tokens, as they are shown."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.time import from_ms


class TokenView(BaseModel):
    """A token, without its secret."""

    id: int
    name: str
    prefix: str = Field(description="How it begins, to tell it from others")
    permissions: list[str]
    created: datetime
    expires: datetime | None
    last_used: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "TokenView":
        """From its row."""
        return cls(
            id=row.id,
            name=row.name,
            prefix=row.prefix,
            permissions=list(row.permissions),
            created=from_ms(row.created_real_ms),
            expires=None if row.expires_real_ms is None else from_ms(row.expires_real_ms),
            last_used=None if row.used_real_ms is None else from_ms(row.used_real_ms),
        )


class TokenMade(BaseModel):
    """A token in the one answer that shows it."""

    id: int
    token: str
