"""What clients are told about events."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.plain import plain
from shared.messages.event import Event
from shared.time import from_ms


class NodeEvent(BaseModel):
    """Something that happened; `data` depends on the kind."""

    id: int
    node: str
    stream: str | None = Field(description="64-bit id, as text; null: told by the controller")
    seq: int | None
    time: datetime
    received: datetime
    kind: str
    severity: str
    device: str | None
    data: dict[str, Any]

    @classmethod
    def of(cls, row: Row[Any]) -> "NodeEvent":
        """From a row of `events`."""
        event = Event.decode(row.body)
        return cls(
            id=row.id,
            node=row.node,
            stream=None if row.stream is None else str(row.stream),
            seq=row.seq,
            time=from_ms(row.time_ms),
            received=from_ms(row.received_ms),
            kind=row.kind,
            severity=row.severity,
            device=row.device,
            data=plain(event.data),
        )
