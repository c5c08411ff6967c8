"""Room for the writes that free room.

On a full disk a deletion fails too, because it must be written to the WAL first. So a reserve file
holds real blocks. When the disk is full it is given up, the database may not grow any more (it
lives on the pages that deletions free), and the WAL, which a checkpoint keeps small, has the
reserve's room. When the disk has space again the reserve is made anew and the limit lifted.
"""

import os
import sqlite3
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_NO_LIMIT = 4_294_967_294
"""The most pages SQLite allows (https://www.sqlite.org/limits.html, 11)."""


class Reserve:
    """The reserve file of one database. Used by the writer's thread only."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.given_up = False

    @property
    def is_there(self) -> bool:
        """Whether the file is there to be given up."""
        return self._path.exists()

    def make(self) -> bool:
        """Makes the file with real blocks; False (and no file) when the disk has no room for it."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                if os.fstat(descriptor).st_blocks * 512 < self._size_bytes:
                    os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("no room for the reserve", bytes=self._size_bytes, error=str(error))
            self._path.unlink(missing_ok=True)
            return False
        return True

    def remove(self) -> None:
        """Gives its blocks back to the disk."""
        self.given_up = True
        self._path.unlink(missing_ok=True)

    def give_up(self, connection: sqlite3.Connection) -> None:
        """Enters the state of a full disk: no growth of the database, the reserve to the WAL."""
        self.remove()
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:  # somebody else took the room: rows stay in it
            log.warning("the WAL could not be emptied", error=str(error))
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {int(pages)}").fetchone()

    def restore(self, connection: sqlite3.Connection) -> bool:
        """Leaves that state when the disk has room for the reserve and as much again."""
        if not self.given_up:
            return True
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._size_bytes or not self.make():
            return False
        connection.execute(f"PRAGMA max_page_count = {_NO_LIMIT}").fetchone()
        self.given_up = False
        return True
