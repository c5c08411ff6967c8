"""The broker's file of revocation lists, and what it tells when the database was put back."""

import os
from pathlib import Path

import structlog

from controller.clock import Clock
from controller.enrolment.authority import Authority
from controller.enrolment.crl import lists_pem
from controller.enrolment.restored import read_back
from controller.storage.engine import Storage

_log = structlog.get_logger()


class ListFile:
    """Keeps the broker's file at what the database says, unless the file knows more than it: then
    the database was put back to an older copy, and first learns what the file says."""

    def __init__(self, storage: Storage, clock: Clock, authority: Authority, path: Path) -> None:
        self._storage = storage
        self._clock = clock
        self._authority = authority
        self._path = path

    def keep(self) -> bool:
        """Writes the file where it differs; whether it did. The file is replaced in one step."""
        found = self._read()
        wanted = self._wanted()
        if found == wanted:
            return False
        if read_back(self._storage, self._clock, self._authority, found):
            wanted = self._wanted()
        making = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with making.open("wb") as file:
            file.write(wanted)
            file.flush()
            os.fsync(file.fileno())
        making.chmod(0o644)
        making.replace(self._path)
        _log.info("the revocation lists were written", file=str(self._path))
        return True

    def read_back(self) -> bool:
        """Has the database learn what only the file knows; whether there was any."""
        return read_back(self._storage, self._clock, self._authority, self._read())

    def _wanted(self) -> bytes:
        with self._storage.read() as conn:
            return lists_pem(conn, self._clock, self._authority)

    def _read(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""
