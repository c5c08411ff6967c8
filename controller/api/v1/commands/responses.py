"""What clients are told about commands."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from shared.time import from_ms


class CommandView(BaseModel):
    """An order and where it stands; a time is null until that step was seen."""

    id: str
    node: str
    seq: int
    actor: str
    action: str
    params: dict[str, Any]
    precondition: list[list[Any]]
    state: str
    problem: str = Field(description="A fixed code; empty when there is none")
    text: str
    readback: dict[str, Any] | None = Field(description="What was read from the device afterwards")
    issued: datetime
    not_before: datetime
    expires: datetime
    sent: datetime | None
    accepted: datetime | None
    finished: datetime | None
    version: int

    @classmethod
    def of(cls, row: Row[Any]) -> "CommandView":
        """From a row of `commands`."""
        return cls(
            id=row.id,
            node=row.node,
            seq=row.seq,
            actor=row.actor,
            action=row.action,
            params=row.params,
            precondition=row.precondition,
            state=row.state,
            problem=row.problem,
            text=row.text,
            readback=row.readback,
            issued=from_ms(row.issued_at_ms),
            not_before=from_ms(row.not_before_ms),
            expires=from_ms(row.expires_at_ms),
            sent=_time(row.sent_ms),
            accepted=_time(row.accepted_ms),
            finished=_time(row.finished_ms),
            version=row.version,
        )


def _time(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else from_ms(time_ms)
