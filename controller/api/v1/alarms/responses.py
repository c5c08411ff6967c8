"""What clients are told about alarms."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.times import told_by_node


class Alarm(BaseModel):
    """One raising of an alarm."""

    id: int
    node: str
    device: str | None
    code: str
    severity: str
    text: str
    raised: datetime
    lowered: datetime | None = Field(description="null: raised now")

    @classmethod
    def of(cls, row: Row[Any]) -> "Alarm":
        """From a row of `alarms`."""
        return cls(
            id=row.id,
            node=row.node,
            device=row.device,
            code=row.code,
            severity=row.severity,
            text=row.text,
            raised=told_by_node(row.raised_ms),
            lowered=None if row.lowered_ms is None else told_by_node(row.lowered_ms),
        )
