"""What can go wrong with the agent's own disk."""

import sqlite3

_FULL_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


class StorageError(RuntimeError):
    """The database could not commit; nothing of the write was accepted."""


class StorageFullError(StorageError):
    """The disk, or the room that the database may take, is full; nothing was accepted."""


class StorageClosedError(StorageError):
    """The database is closed; nothing was accepted."""


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite ran out of space (SQLITE_FULL; IOERR_SHMSIZE where the WAL index grows)."""
    return getattr(error, "sqlite_errorcode", None) in _FULL_CODES
