"""What clients are told about events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.plain import plain
from controller.api.times import told_by_node
from controller.fleet.event_content import RowKind, why_malformed
from shared.messages.event import Event
from shared.time import from_ms


class NodeEvent(BaseModel):
    """Something that happened; `data` depends on the kind. An event that could not be read is of
    the kind "malformed", with `data` {"body": hex, "problem": what is wrong with it}."""

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
        return cls(
            id=row.id,
            node=row.node,
            stream=None if row.stream is None else str(row.stream),
            seq=row.seq,
            time=told_by_node(row.time_ms),
            received=from_ms(row.received_ms),
            kind=row.kind,
            severity=row.severity,
            device=row.device,
            data=plain(_data(row)),
        )


def _data(row: Row[Any]) -> Mapping[str, Any]:
    if row.kind == RowKind.MALFORMED:
        return {"body": row.body, "problem": why_malformed(row.body)}
    return Event.decode(row.body).data
