"""Rows of the buffer as payloads. Functions for `Database.read`; they encode on its thread."""

import sqlite3
from dataclasses import dataclass
from itertools import takewhile

from agent.buffer import rows
from agent.uplink.happenings import Read
from agent.uplink.state import Stream
from shared.messages import event, telemetry
from shared.messages.event import EventBatch
from shared.messages.telemetry import TelemetryBatch
from shared.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class Loaded:
    """The payload of a batch (None when no row is left) and which rows it holds.

    Numbers that were asked for, up to `through`, and are not in `rows` are gone. `birth` is what
    telemetry names.
    """

    payload: bytes | None
    rows: RangeSet
    through: int
    birth: int | None = None


def load(connection: sqlite3.Connection, stream_id: int, read: Read) -> Loaded:
    """The leading rows of a read that fit one payload and, telemetry, have one birth."""
    if read.stream is Stream.EVENT:
        return _load_events(connection, stream_id, read)
    return _load_telemetry(connection, stream_id, read)


def _load_telemetry(connection: sqlite3.Connection, stream_id: int, read: Read) -> Loaded:
    found = rows.telemetry_in(connection, read.spans, read.most)
    if not found:
        return _nothing(read)
    birth = found[0][0]
    alike = [row for _, row in takewhile(lambda pair: pair[0] == birth, found)]
    sent = tuple(alike[: telemetry.rows_that_fit(alike)])
    batch = TelemetryBatch(stream_id, birth, read.historical, sent)
    complete = len(sent) == len(found) < read.most
    through = read.spans[-1][1] if complete else sent[-1].seq
    return Loaded(batch.encode(), RangeSet.of_numbers(r.seq for r in sent), through, birth)


def _load_events(connection: sqlite3.Connection, stream_id: int, read: Read) -> Loaded:
    found = rows.events_in(connection, read.spans, read.most)
    if not found:
        return _nothing(read)
    sent = tuple(found[: event.rows_that_fit(found)])
    complete = len(sent) == len(found) < read.most
    through = read.spans[-1][1] if complete else sent[-1].seq
    payload = EventBatch(stream_id, sent).encode()
    return Loaded(payload, RangeSet.of_numbers(r.seq for r in sent), through)


def _nothing(read: Read) -> Loaded:
    return Loaded(None, RangeSet(), read.spans[-1][1])
