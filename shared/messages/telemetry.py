"""`telemetry` batches: rows of one stream, each one snapshot of one device.

A row's identity is (node, stream, seq). Its body is encoded once, when the agent accepts it, and
travels and is stored as those bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import BadInputError
from shared.measured import Reason, Scalar, Unknown
from shared.messages import cbor

MAX_ROWS = 5_000
MAX_BODY = 16 * 1024
_ROW_OVERHEAD = 36
_ROWS_BUDGET = cbor.MAX_PAYLOAD - 200


@dataclass(frozen=True, slots=True)
class TelemetryRow:
    """One snapshot: seq counts up from 1 in its stream; `device` is the birth's alias."""

    seq: int
    time_ms: int
    device: int
    body: bytes


@dataclass(frozen=True, slots=True)
class TelemetryBatch:
    """Rows of one stream under one birth; `historical` when they are sent late."""

    stream: int
    birth: int
    historical: bool
    rows: tuple[TelemetryRow, ...]

    def encode(self) -> bytes:
        """The payload."""
        return cbor.encode(
            {
                "birth": self.birth,
                "historical": self.historical,
                "rows": [[r.seq, r.time_ms, r.device, r.body] for r in self.rows],
                "stream": self.stream,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> "TelemetryBatch":
        """Reads a payload. Bodies are checked for size here and decoded where they are read."""
        fields = cbor.expect_map(cbor.decode(payload), "telemetry")
        rows = cbor.expect_list(cbor.take(fields, "rows"), "rows", MAX_ROWS)
        return cls(
            stream=cbor.expect_int(cbor.take(fields, "stream"), "stream"),
            birth=cbor.expect_int(cbor.take(fields, "birth"), "birth", 1),
            historical=cbor.expect_bool(cbor.take(fields, "historical"), "historical"),
            rows=tuple([read_row(row) for row in rows]),
        )


def read_row(row: object) -> TelemetryRow:
    """A row of a decoded batch; `BadInputError` when it breaks the form."""
    match row:
        case [int(seq), int(time_ms), int(device), bytes(body)] if (
            1 <= seq <= cbor.MAX_INT64
            and 0 <= time_ms <= cbor.MAX_INT64
            and 0 <= device <= cbor.MAX_INT64
            and len(body) <= MAX_BODY
        ):
            return TelemetryRow(seq, time_ms, device, body)
    raise BadInputError("rows", repr(row)[:80], "[seq >= 1, time_ms, device, body <= 16 KiB]")


def encode_body(values: Mapping[int, Scalar | Unknown]) -> bytes:
    """A row's body: `[{alias: value or null}]`, with `{alias: reason}` behind it for the nulls.

    An absent alias was not polled.
    """
    unknown = {
        alias: int(value.reason) for alias, value in values.items() if isinstance(value, Unknown)
    }
    if not unknown:
        return cbor.encode([dict(values)])
    plain = {a: None if isinstance(v, Unknown) else v for a, v in values.items()}
    return cbor.encode([plain, unknown])


def decode_body(body: bytes) -> dict[int, Scalar | Unknown]:
    """The values of a row's body by alias; `BadInputError` when it is malformed."""
    parts = cbor.expect_list(cbor.decode(body, "body"), "body", 2)
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise BadInputError("body", "not one or two maps", "[{alias: value}, {alias: reason}]")
    reasons = parts[1] if len(parts) == 2 else {}
    return {_alias(alias): _value(alias, value, reasons) for alias, value in parts[0].items()}


def _alias(alias: object) -> int:
    return cbor.expect_int(alias, "body.alias")


def _value(alias: int, value: object, reasons: Mapping[int, object]) -> Scalar | Unknown:
    if isinstance(value, (bool, int, float, str)):
        return value
    if value is not None:
        raise BadInputError(f"body.{alias}", type(value).__name__, "number, text, boolean or null")
    try:
        return Unknown(Reason(reasons.get(alias)))  # type: ignore[arg-type]
    except ValueError as error:
        raise BadInputError(f"body.{alias}", "null without a known reason", "a reason") from error


def rows_that_fit(rows: Sequence[TelemetryRow]) -> int:
    """How many of the leading rows fit one payload (at least 1 of a non-empty sequence)."""
    used = 0
    for count, row in enumerate(rows):
        used += len(row.body) + _ROW_OVERHEAD
        if used > _ROWS_BUDGET or count == MAX_ROWS:
            return count
    return len(rows)
