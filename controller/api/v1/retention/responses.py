"""What clients are told about retention."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.time import from_ms


class Retention(BaseModel):
    """How long a class of data is kept."""

    data_class: str
    keep_ms: int | None = Field(description="null: for ever")
    updated: datetime
    version: int = Field(description="The ETag's number")

    @classmethod
    def of(cls, row: Row[Any]) -> "Retention":
        """From a row of `retention`."""
        return cls(
            data_class=row.data_class,
            keep_ms=row.keep_ms,
            updated=from_ms(row.updated_ms),
            version=row.version,
        )
