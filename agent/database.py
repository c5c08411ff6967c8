"""The agent's one SQLite file: WAL, synchronous=FULL, one writer, writes committed in groups.

A write is a function that gets the connection. It runs inside the writer's current transaction in
a savepoint of its own, and its awaitable resolves only after that transaction is committed: then
what it wrote is accepted and survives a power cut. Everything that must commit together goes into
one such function.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from agent.buffer.errors import StorageClosedError, StorageError, StorageFullError, is_full
from agent.buffer.space import Reserve
from agent.buffer.writer import GroupWriter, Job, Outcome
from agent.schema import last_seqs, migrate, stream_ids

__all__ = ["Database", "DatabaseOptions", "StorageError", "StorageFullError", "Usage"]

T = TypeVar("T")
SeqListener = Callable[[Mapping[str, int]], None]

log = structlog.get_logger(__name__)

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """Bounds: writes a transaction, writes waiting, the reserve for a full disk, the page cache."""

    most_per_group: int = 256
    most_waiting: int = 2_048
    reserve_bytes: int = 8 * 1024 * 1024
    cache_kib: int = 4_096


@dataclass(frozen=True, slots=True)
class Usage:
    """What the database takes: pages that hold something, not the size of the file."""

    used_bytes: int
    file_bytes: int
    full: bool


class Database:
    """See the module. Made by `open`; belongs to the event loop it was opened on."""

    def __init__(self, path: Path, options: DatabaseOptions) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(options.most_waiting)
        self._options = options
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"), options.reserve_bytes)
        self._writer: GroupWriter
        self._reader = ThreadPoolExecutor(1, "agent-database-reader")
        self._read_connection: sqlite3.Connection | None = None
        self._listeners: list[SeqListener] = []
        self._closed = False
        self.replaced: Path | None = None
        """Where a damaged file was put when this database took its place, None normally."""
        self.streams: Mapping[str, int] = {}
        """The ids of the streams "telemetry" and "event"."""
        self.last_seqs: Mapping[str, int] = {}
        """The last accepted number of each stream, as of the last commit."""

    @classmethod
    async def open(cls, path: Path, options: DatabaseOptions | None = None) -> "Database":
        """Opens or makes the database and brings it to the newest schema.

        A file that SQLite finds damaged is set aside (`replaced`) and a new one begun, with new
        streams: an agent on a remote site must start. Raises `StorageError` when it cannot.
        """
        database = cls(path, DatabaseOptions() if options is None else options)
        try:
            connection = await asyncio.to_thread(database._prepare)
        except (sqlite3.Error, OSError) as error:
            database._reader.shutdown(wait=False)
            raise StorageError(f"{path}: {error}") from error
        database._writer = GroupWriter(
            connection, database._reserve, database._settle_soon, database._options.most_per_group
        )
        database._writer.start()
        return database

    async def write(self, fn: Callable[[sqlite3.Connection], T], *, frees_space: bool = False) -> T:
        """Runs `fn` in the writer's transaction; resolves with its result once that is committed.

        An exception of `fn` undoes what `fn` did, nothing else, and is raised here. `fn` runs on
        the writer's thread and may run a second time when its group could not commit: it must have
        no effect but on the connection, and must not begin or end transactions. Waits while
        `most_waiting` writes are queued. `frees_space` lets it use the reserve of a full disk.
        Raises `StorageFullError` when the disk is full, `StorageError` when it fails otherwise; in
        both cases nothing was accepted. Cancelling the awaiting task does not undo a write that
        has begun.
        """
        return await self._queue(fn, frees_space=frees_space)

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `fn` on a connection that can change nothing and sees one committed state."""
        if self._closed:
            raise StorageClosedError(f"{self._path} is closed")
        return await self._loop.run_in_executor(self._reader, self._read, fn)

    def listen(self, listener: SeqListener) -> None:
        """Calls `listener` on the event loop after every commit that added rows to a stream.

        It gets the last accepted number of both streams.
        """
        self._listeners.append(listener)

    async def usage(self) -> Usage:
        """How much the database takes."""
        used, size = await self.read(_pages)
        return Usage(used, size, self._writer.full)

    async def restore_space(self) -> bool:
        """Whether the disk has room (again); makes the reserve anew when it was given up."""
        if not self._writer.full:
            return True
        return await self._queue(self._reserve.restore, outside=True)

    async def close(self) -> None:
        """Commits what is queued and closes; later calls raise `StorageClosedError`."""
        if self._closed:
            return
        self._closed = True
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        await self._loop.run_in_executor(self._reader, self._close_reader)
        self._reader.shutdown(wait=True)

    async def _queue(
        self,
        fn: Callable[[sqlite3.Connection], T],
        *,
        frees_space: bool = False,
        outside: bool = False,
    ) -> T:
        async with self._slots:
            if self._closed:  # while this waited
                raise StorageClosedError(f"{self._path} is closed")
            future: asyncio.Future[T] = self._loop.create_future()
            self._writer.put(Job(fn, future.cancelled, future, frees_space, outside))
            return await future

    def _prepare(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._migrated_in_any_room()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
                raise
            self.replaced = set_aside(self._path)
            log.exception("the database was damaged and is set aside", file=self.replaced.name)
            connection = self._migrated_in_any_room()
        if self._reserve.given_up:
            self._reserve.give_up(connection)
        else:
            self._reserve.make()
        return connection

    def _migrated_in_any_room(self) -> sqlite3.Connection:
        """Opens it also on a full disk: a WAL that was removed at the last close needs room."""
        try:
            return self._migrated()
        except sqlite3.OperationalError as error:
            no_room = is_full(error) or error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN
            if not no_room or not self._reserve.is_there:
                raise
            log.exception("no room to open the database: the reserve is given up")
            self._reserve.remove()
            return self._migrated()

    def _migrated(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            migrate(connection)
            self.streams = stream_ids(connection)
            self.last_seqs = last_seqs(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Made on one thread and then used on one other; never on two at a time.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in self._pragmas():
                connection.execute(f"PRAGMA {pragma}").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _pragmas(self) -> tuple[str, ...]:
        reserve_bytes = self._options.reserve_bytes
        return (
            f"busy_timeout = {_BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{self._options.cache_kib}",
            f"journal_size_limit = {reserve_bytes}",
            # A WAL that stays within half of the reserve leaves the other half for one group.
            f"wal_autocheckpoint = {min(1_000, reserve_bytes // 2 // 4_096)}",
        )

    def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        if self._read_connection is None:
            self._read_connection = self._connect()
            self._read_connection.execute("PRAGMA query_only = ON")
        self._read_connection.execute("BEGIN")
        try:
            return fn(self._read_connection)
        finally:
            self._read_connection.execute("ROLLBACK")

    def _close_reader(self) -> None:
        if self._read_connection is not None:
            self._read_connection.close()

    def _settle_soon(self, settled: list[tuple[Job, Outcome]], seqs: Mapping[str, int]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, settled, seqs)

    def _settle(self, settled: list[tuple[Job, Outcome]], seqs: Mapping[str, int]) -> None:
        if seqs and seqs != self.last_seqs:
            self.last_seqs = seqs
            for listener in self._listeners:
                listener(seqs)
        for job, outcome in settled:
            future: asyncio.Future[object] = job.token
            if future.done():
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


def set_aside(path: Path) -> Path:
    """Renames a database and its WAL so that a new one can take its name; returns where it is."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def _pages(connection: sqlite3.Connection) -> tuple[int, int]:
    size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return (pages - free) * size, pages * size
