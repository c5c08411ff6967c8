"""One's own account, as it is shown."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.access.session_life import Stage
from shared.time import from_ms


class Passkey(BaseModel):
    """A passkey of the account."""

    id: int
    name: str
    created: datetime
    last_used: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Passkey":
        """From its row."""
        used = row.used_real_ms
        return cls(
            id=row.id,
            name=row.name,
            created=from_ms(row.created_real_ms),
            last_used=None if used is None else from_ms(used),
        )


class Account(BaseModel):
    """Who one is, and what one can show besides the password."""

    id: int
    name: str
    display_name: str
    totp: bool
    passkeys: list[Passkey]
    recovery_codes_left: int
    has_first_password: bool = Field(description="It was set by somebody else: change it first")


class NewTotp(BaseModel):
    """A secret for an authenticator app, shown once; it counts when a code of it was given."""

    secret: str
    uri: str
    qr: list[str] = Field(description="The URI as a QR code: rows of 0 (light) and 1 (dark)")


class FactorAdded(BaseModel):
    """A second factor is set up. The session goes on with a new id."""

    stage: Stage
    csrf: str
    recovery_codes: list[str] = Field(description="Shown once; empty where there are some already")
