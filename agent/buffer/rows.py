"""Every statement on the two streams: functions for `Database.write` and `Database.read`."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.messages.event import EventRow
from shared.messages.telemetry import TelemetryRow
from shared.ranges import RangeSet

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class NewRow:
    """A telemetry row that has no number yet."""

    birth: int
    time_ms: int
    device: int
    body: bytes

    def insert(self, connection: sqlite3.Connection) -> int:
        """Adds it; its number. `sqlite3.IntegrityError` when its birth is not kept any more."""
        cursor = connection.execute(
            "INSERT INTO telemetry (time_ms, birth, device, body) VALUES (?, ?, ?, ?)",
            (self.time_ms, self.birth, self.device, self.body),
        )
        return _allotted(cursor)


def insert_event(connection: sqlite3.Connection, time_ms: int, body: bytes) -> int:
    """Adds a row and returns its number."""
    return _allotted(
        connection.execute("INSERT INTO event (time_ms, body) VALUES (?, ?)", (time_ms, body))
    )


def telemetry_in(
    connection: sqlite3.Connection, spans: Spans, most: int
) -> list[tuple[int, TelemetryRow]]:
    """The first `most` rows whose numbers lie in the spans, ascending, each with its birth."""
    query = "SELECT birth, seq, time_ms, device, body FROM telemetry WHERE {} LIMIT ?"
    rows = _in_spans(connection, query, spans, most)
    return [(birth, TelemetryRow(*row)) for birth, *row in rows]


def events_in(connection: sqlite3.Connection, spans: Spans, most: int) -> list[EventRow]:
    """The first `most` events whose numbers lie in the spans, ascending."""
    query = "SELECT seq, time_ms, body FROM event WHERE {} LIMIT ?"
    return [EventRow(*row) for row in _in_spans(connection, query, spans, most)]


def _in_spans(
    connection: sqlite3.Connection, query: str, spans: Spans, most: int
) -> Iterator[tuple[Any, ...]]:
    # One walk of the primary key a span: an OR over many spans makes SQLite scan from the start.
    statement = query.format("seq BETWEEN ? AND ? ORDER BY seq")
    for first, last in spans:
        rows = connection.execute(statement, (first, last, most)).fetchall()
        most -= len(rows)
        yield from rows
        if most <= 0:
            return


def kept(connection: sqlite3.Connection, stream: str) -> RangeSet:
    """From the first to the last number kept of a stream; rows between them may be gone."""
    first, last = connection.execute(f"SELECT min(seq), max(seq) FROM {stream}").fetchone()  # noqa: S608 - a table's name
    return RangeSet() if first is None else RangeSet(((first, last),))


def report_bytes(connection: sqlite3.Connection) -> int:
    """What the gap reports in the event stream take."""
    query = "SELECT coalesce(sum(length(body)), 0) FROM gaps JOIN event USING (seq)"
    return int(connection.execute(query).fetchone()[0])


def delete(connection: sqlite3.Connection, stream: str, first: int, last: int, most: int) -> int:
    """Deletes up to `most` rows of first..last, lowest numbers first; how many it deleted."""
    deleted = connection.execute(
        f"DELETE FROM {stream} WHERE seq IN "  # noqa: S608 - a table's name
        f"(SELECT seq FROM {stream} WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?)",
        (first, last, most),
    ).rowcount
    if deleted:
        prune_births(connection)
    return deleted


def prune_births(connection: sqlite3.Connection) -> None:
    """Drops the births that nothing kept names, but for the current one."""
    connection.execute(
        """DELETE FROM births WHERE number < (SELECT max(number) FROM births)
        AND NOT EXISTS (SELECT 1 FROM telemetry WHERE birth = number)
        AND NOT EXISTS (SELECT 1 FROM gaps WHERE gaps.birth = number)"""
    )


def oldest_seqs(connection: sqlite3.Connection, most: int) -> list[tuple[int, int]]:
    """(number, birth) of the oldest telemetry rows, ascending."""
    return connection.execute(
        "SELECT seq, birth FROM telemetry ORDER BY seq LIMIT ?", (most,)
    ).fetchall()


def births(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    """The payloads of those births that are kept."""
    marks = ",".join("?" * len(numbers))
    rows = connection.execute(
        f"SELECT number, payload FROM births WHERE number IN ({marks})",  # noqa: S608 - marks only
        tuple(numbers),
    )
    return dict(rows)


def current_birth(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
    """Number and payload of the newest birth, None before the first."""
    row = connection.execute(
        "SELECT number, payload FROM births ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], row[1])


def _allotted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.InternalError("an insertion without a number")
    return cursor.lastrowid
