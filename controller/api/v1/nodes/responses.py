"""What clients are told about nodes."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from controller.api.times import told_by_node


class Node(BaseModel):
    """An agent, as it last introduced itself; null where it has not yet."""

    name: str
    site: str
    role: str
    online: bool | None = Field(description="null: never heard of")
    software: str | None
    boot_id: str | None
    clock_synchronised: bool | None
    clock_error_ms: int | None
    last_seen: datetime | None
    telemetry_stream: str | None = Field(description="64-bit id, as text")
    event_stream: str | None = Field(description="64-bit id, as text")
    birth_number: int | None
    hashes: dict[str, str] = Field(description="SHA-256 of models and policies in force")

    @classmethod
    def of(cls, row: Row[Any]) -> "Node":
        """From a row of `nodes`."""
        return cls(
            name=row.name,
            site=row.site_id,
            role=row.role,
            online=row.online,
            software=row.software,
            boot_id=row.boot_id,
            clock_synchronised=row.clock_synchronised,
            clock_error_ms=row.clock_error_ms,
            last_seen=_time(row.last_seen_ms),
            telemetry_stream=_text(row.telemetry_stream),
            event_stream=_text(row.event_stream),
            birth_number=row.birth_number,
            hashes=row.hashes or {},
        )


def _time(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else told_by_node(time_ms)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
