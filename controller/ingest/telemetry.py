"""Telemetry rows into the database, as fast as it takes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert

from controller.ingest.batches import Sifted
from controller.storage.tables import ingested
from shared.errors import BadInputError
from shared.messages.telemetry import TelemetryBatch, TelemetryRow

Record: TypeAlias = tuple[int, int, int, int, int, bytes]
"""stream, seq, time_ms, device id, birth, body: the columns of `telemetry` in order."""

_COPY = "COPY telemetry (stream, seq, time_ms, device_id, birth, body) FROM STDIN (FORMAT BINARY)"
_TYPES = ("int8", "int8", "int8", "int8", "int8", "bytea")


def records(
    batch: TelemetryBatch, rows: Iterable[TelemetryRow], devices: Mapping[int, int]
) -> list[Record]:
    """Rows with their devices' ids; `BadInputError` for an alias that the birth lacks."""
    stream, birth = batch.stream, batch.birth
    try:
        return [(stream, r.seq, r.time_ms, devices[r.device], birth, r.body) for r in rows]
    except KeyError as error:
        raise BadInputError(
            "rows.device", f"alias {error.args[0]}", f"an alias of birth {birth}"
        ) from error


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
    sifted: Sifted[TelemetryRow],
    now_ms: int,
) -> None:
    """One row for the roller, that names what this batch brought."""
    numbers = [row.seq for row in sifted.new]
    times = [row.time_ms for row in sifted.new]
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
