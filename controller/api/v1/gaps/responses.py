"""What clients are told about gaps."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.times import told_by_node


class Gap(BaseModel):
    """A range of rows that a node dropped; aggregates stand for them in the roll-ups."""

    id: int
    node: str
    stream: str = Field(description="64-bit id, as text")
    first: int
    last: int
    start: datetime
    end: datetime
    width_ms: int = Field(description="Of the aggregates' buckets")
    reason: str
    problem: str | None = Field(description="Why its aggregates are not used; null: they are")

    @classmethod
    def of(cls, row: Row[Any]) -> "Gap":
        """From a row of `gaps`."""
        return cls(
            id=row.id,
            node=row.node,
            stream=str(row.stream),
            first=row.first,
            last=row.last,
            start=told_by_node(row.from_ms),
            end=told_by_node(row.to_ms),
            width_ms=row.width_ms,
            reason=row.reason,
            problem=row.problem,
        )
