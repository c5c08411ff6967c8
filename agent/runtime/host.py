"""What belongs to the machine: the data folder and its lock, the software's version."""

import fcntl
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

PACKAGE = "bitcoin-enterprise-suite"


class DataFolderError(Exception):
    """The data folder cannot be used."""


class DataFolder:
    """The agent's folder, owned by one process at a time.

    Two agents on one database would each act on the same command; the lock (flock(2)) is gone with
    the process that holds it, however it ends.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Makes the folder if it is not there, readable by its owner only, and locks it."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DataFolderError(f"{path}: another agent runs here") from error
        return cls(path, descriptor)

    def release(self) -> None:
        """Gives the folder back."""
        os.close(self._descriptor)


def software() -> str:
    """Name and version of this software."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return f"{PACKAGE} (not installed)"
