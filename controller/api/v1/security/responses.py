"""What clients are told about security events."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.detection.kinds import MEANINGS, SecurityKind
from shared.messages.event import Severity
from shared.time import from_ms


class SecurityEvent(BaseModel):
    """Equal events close together, on one row."""

    id: int
    kind: SecurityKind
    severity: Severity
    text: str = Field(description="What the kind means, in plain words")
    subject: str = Field(description="Who or what it is about")
    detail: dict[str, Any]
    occurrences: int
    first: datetime
    last: datetime
    acknowledged: datetime | None = Field(description="null: nobody has yet")
    acknowledged_by: str | None
    note: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> "SecurityEvent":
        """From a row of `security_events`."""
        kind = SecurityKind(row.kind)
        return cls(
            id=row.id,
            kind=kind,
            severity=Severity(row.severity),
            text=MEANINGS[kind].text,
            subject=row.subject,
            detail=row.detail,
            occurrences=row.occurrences,
            first=from_ms(row.first_ms),
            last=from_ms(row.last_ms),
            acknowledged=None if row.acknowledged_ms is None else from_ms(row.acknowledged_ms),
            acknowledged_by=row.acknowledged_by,
            note=row.note,
        )


class Summary(BaseModel):
    """How many events nobody has acknowledged."""

    open: dict[Severity, int]
