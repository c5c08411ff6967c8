"""Connections: one `Storage` a process, the same calls on SQLite and on PostgreSQL."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

from shared.errors import BadInputError

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_WRITES = "writes"
_BUSY_MS = 30_000
_LIBPQ_WAITS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "40000",
}


class Storage:
    """The database. `read()` and `write()` each open one transaction on a connection of their own.

    SQLite takes one writer at a time: `write()` waits for its turn in the process and takes the
    database's write lock at once, so that nothing read inside it can be stale. A transaction
    commits when its block ends and rolls back when it raises.
    """

    def __init__(self, url: str) -> None:
        parsed = _checked(url)
        self.dialect = parsed.get_backend_name()
        self.engine = _engine(parsed)
        self._turn = threading.Lock()

    @property
    def is_postgresql(self) -> bool:
        """Whether rows must be locked against other replicas, and telemetry has partitions."""
        return self.dialect == POSTGRESQL

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that changes things."""
        with nullcontext() if self.is_postgresql else self._turn, self.engine.connect() as conn:
            conn.info[_WRITES] = True
            try:
                with conn.begin():
                    yield conn
            finally:
                conn.info.pop(_WRITES, None)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that changes nothing: one snapshot of the database throughout."""
        with self.engine.connect() as conn:
            if self.is_postgresql:
                conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with conn.begin():
                yield conn

    def close(self) -> None:
        """Closes the pooled connections."""
        self.engine.dispose()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL. `BadInputError` for another URL."""
    parsed = _checked(url)
    if parsed.get_backend_name() != SQLITE or parsed.database is None:
        return None
    return Path(parsed.database)


def _checked(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise BadInputError(
            "database.url", parsed.drivername, "sqlite:///PATH or postgresql+psycopg://..."
        )
    if parsed.get_backend_name() == SQLITE and parsed.database in {None, "", ":memory:"}:
        raise BadInputError("database.url", "a database in memory", "sqlite:///PATH")
    return parsed


def with_deadlines(url: URL) -> URL:
    """The address of a PostgreSQL server with bounds on waiting for a connection and for a server
    that is gone, where it does not give its own (libpq's parameters, in s; the last in ms)."""
    return url.update_query_dict({**_LIBPQ_WAITS, **url.query})


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == POSTGRESQL:
        within = with_deadlines(url)
        return create_engine(within, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000})
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: sqlite3.Connection, _record: Any) -> None:
    """Durable commits, since an ack promises one; SQLAlchemy says BEGIN, not the driver."""
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MS}",
        "foreign_keys=ON",
        "cache_size=-32768",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.info.get(_WRITES) else "BEGIN")
