"""Daily partitions of `telemetry` on PostgreSQL.

A partition is made when the first row of its day comes, and ahead for the next days. Rows dated
outside the window, and rows of a day whose rows were dated outside it when they came, stay in the
default partition `telemetry_other`: a node's wrong clock must not make thousands of tables.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock

from sqlalchemy import Connection, text

from controller.storage.engine import Storage

DAY_MS = 86_400_000
DAYS_BACK = 400
DAYS_AHEAD = 3
DEFAULT = "telemetry_other"
_LOCK = 0x62657470  # one process changes partitions at a time
_NAME = re.compile(r"telemetry_(\d{8})")


def partition_name(day: int) -> str:
    """The partition of a day, counted from the epoch: `telemetry_20240508`."""
    return f"telemetry_{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"


def partition_day(name: str) -> int | None:
    """The day of a partition by its name; None for the default one."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    moment = datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC)
    return int(moment.timestamp()) // 86_400


def days_in_window(times_ms: Iterable[int], now_ms: int) -> set[int]:
    """The days of these times that may have partitions of their own."""
    today = now_ms // DAY_MS
    days = {time_ms // DAY_MS for time_ms in times_ms}
    return {day for day in days if today - DAYS_BACK <= day <= today + DAYS_AHEAD}


class Partitions:
    """Makes partitions once; knows those it has seen. Does nothing on SQLite."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: set[int] = set()
        self._lock = Lock()

    def ensure(self, times_ms: Iterable[int], now_ms: int) -> None:
        """In a transaction of its own, so that no ingest waits for another's lock."""
        if not self._storage.is_postgresql:
            return
        with self._lock:
            missing = days_in_window(times_ms, now_ms) - self._seen
            if not missing:
                return
            with self._storage.write() as conn:
                conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                present = {name for name, _ in list_partitions(conn)}
                for day in sorted(missing):
                    if partition_name(day) not in present:
                        _make(conn, day)
            self._seen |= missing

    def forget(self) -> None:
        """After partitions were dropped."""
        with self._lock:
            self._seen.clear()


def list_partitions(conn: Connection) -> list[tuple[str, int | None]]:
    """The names of telemetry's partitions with their days, None for the default one."""
    names = conn.scalars(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'telemetry'::regclass ORDER BY 1"
        )
    )
    return [(name, partition_day(name)) for name in names]


def _make(conn: Connection, day: int) -> None:
    """Attaching takes a weaker lock on the parent than PARTITION OF would: readers go on."""
    low, high = day * DAY_MS, (day + 1) * DAY_MS
    span = {"low": low, "high": high}
    inside = text(f"SELECT 1 FROM {DEFAULT} WHERE time_ms >= :low AND time_ms < :high LIMIT 1")  # noqa: S608 - a constant
    if conn.scalar(inside, span) is not None:
        return
    name = partition_name(day)
    conn.execute(text(f"CREATE TABLE {name} (LIKE telemetry INCLUDING DEFAULTS)"))
    conn.execute(
        text(f"ALTER TABLE telemetry ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")
    )


def drop_partition(conn: Connection, name: str) -> None:
    """Drops one day's rows."""
    if partition_day(name) is None:
        raise ValueError(f"{name} is not a day's partition")
    conn.execute(text(f"DROP TABLE {name}"))
