"""A session, as its owner sees it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.access.session_life import Stage
from shared.time import from_ms


class SignedIn(BaseModel):
    """How far the signing in has come. The session itself is in the cookie."""

    stage: Stage
    factors: list[str] = Field(description="What the account can show besides its password")
    csrf: str = Field(description="To be sent as X-CSRF-Token with every change")


class CurrentSession(BaseModel):
    """Who is signed in, and what he may do."""

    stage: Stage
    user_id: int
    name: str
    csrf: str
    factors: list[str]
    permissions: dict[str, list[str] | None] = Field(
        description="Each with the sites it holds for; null: everywhere"
    )


class OwnSession(BaseModel):
    """One of one's own sessions."""

    id: int
    current: bool
    stage: Stage
    created: datetime
    last_used: datetime
    browser: str

    @classmethod
    def of(cls, row: Row[Any], current: int) -> "OwnSession":
        """From its row."""
        return cls(
            id=row.id,
            current=row.id == current,
            stage=Stage(row.stage),
            created=from_ms(row.created_real_ms),
            last_used=from_ms(row.seen_real_ms),
            browser=row.browser,
        )


class CeremonyOptions(BaseModel):
    """What `navigator.credentials` takes, its buffers in base64url."""

    options: dict[str, Any]
