"""What clients are told about legal holds."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.time import from_ms


class Hold(BaseModel):
    """A legal hold; null in a bound takes in everything."""

    id: int
    data_class: str | None
    node: str | None
    start: datetime | None
    end: datetime | None
    reason: str
    actor: str
    created: datetime
    released: datetime | None = Field(description="null: in force")
    version: int = Field(description="The ETag's number")

    @classmethod
    def of(cls, row: Row[Any]) -> "Hold":
        """From a row of `legal_holds`."""
        return cls(
            id=row.id,
            data_class=row.data_class,
            node=row.node,
            start=None if row.from_ms is None else from_ms(row.from_ms),
            end=None if row.to_ms is None else from_ms(row.to_ms),
            reason=row.reason,
            actor=row.actor,
            created=from_ms(row.created_ms),
            released=None if row.released_ms is None else from_ms(row.released_ms),
            version=row.version,
        )
