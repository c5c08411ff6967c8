"""Telemetry rows into the database, as fast as it takes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert

from controller.ingest.salvage import UnreadableRow
from controller.storage.tables import ingested
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.telemetry import TelemetryBatch, TelemetryRow

Record: TypeAlias = tuple[int, int, int, int, int, bytes]
"""stream, seq, time_ms, device id, birth, body: the columns of `telemetry` in order."""

_COPY = "COPY telemetry (stream, seq, time_ms, device_id, birth, body) FROM STDIN (FORMAT BINARY)"
_TYPES = ("int8", "int8", "int8", "int8", "int8", "bytea")


def known_rows(
    rows: Sequence[TelemetryRow], birth: int, devices: Mapping[int, int]
) -> tuple[Sequence[TelemetryRow], Sequence[UnreadableRow]]:
    """The rows of the birth's devices, and those of an alias that the birth lacks."""
    strange = {row.device for row in rows} - devices.keys()
    if not strange:
        return rows, ()
    return [row for row in rows if row.device not in strange], [
        UnreadableRow(
            row.seq,
            cbor.encode([row.seq, row.time_ms, row.device, row.body]),
            BadInputError("rows.device", f"alias {row.device}", f"an alias of birth {birth}"),
        )
        for row in rows
        if row.device in strange
    ]


def records(
    batch: TelemetryBatch, rows: Iterable[TelemetryRow], devices: Mapping[int, int]
) -> list[Record]:
    """Rows of known devices with their devices' ids."""
    stream, birth = batch.stream, batch.birth
    return [(stream, r.seq, r.time_ms, devices[r.device], birth, r.body) for r in rows]


def insert_records(conn: Connection, rows: Sequence[Record]) -> None:
    """Inserts new rows: COPY on PostgreSQL, executemany on SQLite."""
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        cursor: Any = conn.connection.cursor()
        with cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)
        return
    conn.exec_driver_sql(
        "INSERT INTO telemetry (stream, seq, time_ms, device_id, birth, body)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        list(rows),
    )


def note_ingested(
    conn: Connection,
    node: str,
    batch: TelemetryBatch,
    new: Sequence[TelemetryRow],
    now_ms: int,
) -> None:
    """One row for the roller, that names what this batch brought."""
    numbers = [row.seq for row in new]
    times = [row.time_ms for row in new]
    conn.execute(
        insert(ingested).values(
            node=node,
            stream=batch.stream,
            birth=batch.birth,
            first=min(numbers),
            last=max(numbers),
            rows=len(numbers),
            from_ms=min(times),
            to_ms=max(times),
            received_ms=now_ms,
        )
    )
