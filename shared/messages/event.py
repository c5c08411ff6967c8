"""`event` batches: alarms, decisions, state changes, gap reports, replies. Never dropped.

An event's `data` is plain CBOR whose meaning its kind gives; the kinds that the controller acts on
have a codec of their own (`gap`, `reply`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.errors import BadInputError
from shared.messages import cbor

MAX_ROWS = 1_000
MAX_BODY = 200 * 1024
_ROW_OVERHEAD = 36
_ROWS_BUDGET = cbor.MAX_PAYLOAD - 200


class EventKind(StrEnum):
    """What an event tells."""

    AGENT = "agent"
    """The agent's own life: data {"what": "started" | "stopping" | "clock_jump" | ...}."""
    ALARM = "alarm"
    """data {"code", "raised": bool, "text"}; one (device, code) is raised until it is lowered."""
    DECISION = "decision"
    """data {"reason", "inputs", "assignments": [{"device", "setpoint", "reason"}], ...}."""
    DEVICE = "device"
    """A device's state changed: data {"from", "to", "reason"}."""
    LOCKOUT = "lockout"
    """data {"locked": bool, "person", "reason"}."""
    WRITE = "write"
    """A setpoint was written: data {"intent", "setpoint", "outcome", "readback", "cause"}."""
    GAP = "gap"
    """Rows were replaced by aggregates; see `shared.messages.gap`."""
    REPLY = "reply"
    """A step in a command's life; see `shared.messages.reply`."""


class Severity(StrEnum):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, to which device (its name on the node) if to one."""

    kind: EventKind
    severity: Severity
    data: Mapping[str, Any]
    device: str | None = None

    def encode(self) -> bytes:
        """The body of an event row; `BadInputError` when it is larger than `MAX_BODY`."""
        body = cbor.encode(
            {
                "data": dict(self.data),
                "device": self.device,
                "kind": self.kind.value,
                "severity": self.severity.value,
            }
        )
        if len(body) > MAX_BODY:
            raise BadInputError("data", f"{len(body)} bytes", f"at most {MAX_BODY} bytes")
        return body

    @classmethod
    def decode(cls, body: bytes) -> "Event":
        """Reads a body; `BadInputError` when it is not an event."""
        fields = cbor.expect_map(cbor.decode(body, "event"), "event")
        device = cbor.take(fields, "device")
        kind = cbor.take(fields, "kind")
        if not isinstance(kind, str) or kind not in set(EventKind):
            raise BadInputError("kind", repr(kind)[:40], ", ".join(EventKind))
        severity = cbor.take(fields, "severity")
        if not isinstance(severity, str) or severity not in set(Severity):
            raise BadInputError("severity", repr(severity)[:40], ", ".join(Severity))
        return cls(
            kind=EventKind(kind),
            severity=Severity(severity),
            data=cbor.expect_map(cbor.take(fields, "data"), "data"),
            device=None if device is None else cbor.expect_text(device, "device", 63),
        )


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event with its place in the node's event stream."""

    seq: int
    time_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Rows of one event stream. Events name devices, not aliases: they need no birth."""

    stream: int
    rows: tuple[EventRow, ...] = field(default_factory=tuple)

    def encode(self) -> bytes:
        """The payload."""
        return cbor.encode(
            {"rows": [[r.seq, r.time_ms, r.body] for r in self.rows], "stream": self.stream}
        )

    @classmethod
    def decode(cls, payload: bytes) -> "EventBatch":
        """Reads a payload; bodies are checked for size here and decoded where they are read."""
        fields = cbor.expect_map(cbor.decode(payload), "event")
        rows = cbor.expect_list(cbor.take(fields, "rows"), "rows", MAX_ROWS)
        return cls(
            stream=cbor.expect_int(cbor.take(fields, "stream"), "stream"),
            rows=tuple(read_row(row) for row in rows),
        )


def read_row(row: object) -> EventRow:
    """A row of a decoded batch; `BadInputError` when it breaks the form."""
    match row:
        case [int(seq), int(time_ms), bytes(body)] if (
            1 <= seq <= cbor.MAX_INT64 and 0 <= time_ms <= cbor.MAX_INT64 and len(body) <= MAX_BODY
        ):
            return EventRow(seq, time_ms, body)
    raise BadInputError("rows", repr(row)[:80], "[seq >= 1, time_ms, body <= 200 KiB]")


def rows_that_fit(rows: Sequence[EventRow]) -> int:
    """How many of the leading rows fit one payload (at least 1 of a non-empty sequence)."""
    used = 0
    for count, row in enumerate(rows):
        used += len(row.body) + _ROW_OVERHEAD
        if used > _ROWS_BUDGET or count == MAX_ROWS:
            return count
    return len(rows)
