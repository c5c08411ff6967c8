"""What can be read of a batch that breaks its form, row by row. Pure.

A node sends again what is not acked, so a row that can never be read would be sent for ever, and
its whole batch with it. As long as its number can be read it can be kept apart and acked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cbor2

from shared.errors import BadInputError
from shared.messages import cbor, event, telemetry
from shared.messages.event import EventBatch
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, decode_body

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row whose number is all that can be relied on; `raw` is the CBOR of what stood for it."""

    seq: int
    raw: bytes
    problem: BadInputError


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A batch of the rows that can be read, and the others. Where the batch itself is not what it
    should be (telemetry that names no birth) no row can be read."""

    batch: TelemetryBatch | EventBatch
    unreadable: tuple[UnreadableRow, ...]


def salvage_telemetry(payload: bytes) -> Salvaged:
    """Reads a batch row by row; `BadInputError` when stream or numbers cannot be read."""
    fields = cbor.expect_map(cbor.decode(payload), "telemetry")
    stream, rows = _frame(fields, telemetry.MAX_ROWS)
    try:
        birth = cbor.expect_int(cbor.take(fields, "birth"), "birth", 1)
        historical = cbor.expect_bool(cbor.take(fields, "historical"), "historical")
    except BadInputError as error:
        unread = tuple(_unreadable(row, error) for row in rows)
        return Salvaged(TelemetryBatch(stream, 0, historical=False, rows=()), unread)
    read, unread = _sort(rows, _snapshot)
    return Salvaged(TelemetryBatch(stream, birth, historical, read), unread)


def salvage_events(payload: bytes) -> Salvaged:
    """Reads a batch row by row; `BadInputError` when stream or numbers cannot be read."""
    fields = cbor.expect_map(cbor.decode(payload), "event")
    stream, rows = _frame(fields, event.MAX_ROWS)
    read, unread = _sort(rows, event.read_row)
    return Salvaged(EventBatch(stream, read), unread)


def _frame(fields: Any, most: int) -> tuple[int, list[Any]]:
    stream = cbor.expect_int(cbor.take(fields, "stream"), "stream")
    return stream, cbor.expect_list(cbor.take(fields, "rows"), "rows", most)


def _sort(
    rows: list[Any], read: Callable[[object], RowT]
) -> tuple[tuple[RowT, ...], tuple[UnreadableRow, ...]]:
    good: list[RowT] = []
    bad: list[UnreadableRow] = []
    for row in rows:
        try:
            good.append(read(row))
        except BadInputError as error:
            bad.append(_unreadable(row, error))
    return tuple(good), tuple(bad)


def _snapshot(row: object) -> TelemetryRow:
    snapshot = telemetry.read_row(row)
    decode_body(snapshot.body)
    return snapshot


def _unreadable(row: Any, problem: BadInputError) -> UnreadableRow:
    if not isinstance(row, list) or not row:
        raise BadInputError("rows", repr(row)[:80], "a row that begins with its number")
    seq = cbor.expect_int(row[0], "rows.seq", 1)
    try:
        return UnreadableRow(seq, cbor.encode(row), problem)
    except cbor2.CBOREncodeError as error:
        raise BadInputError("rows", repr(row)[:80], "what CBOR can say") from error
