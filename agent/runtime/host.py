"""What belongs to the machine: the data folder and its lock, the software's version."""

import asyncio
import fcntl
import hashlib
import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from pydantic import BaseModel

PACKAGE = "bitcoin-enterprise-suite"
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("agent", "firmware_bridges", "shared")


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
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path / "agent.lock", flags, 0o600)
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


async def software_sha256() -> str:
    """SHA-256 over this software's Python files as they are on disk: their paths and contents."""
    return await asyncio.to_thread(_code_sha256, _ROOT)


def config_sha256(config: BaseModel) -> str:
    """SHA-256 of the configuration in force, overrides of the environment included. Secrets are in
    files of their own, so that none is in it."""
    plain = json.dumps(config.model_dump(mode="json"), sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def _code_sha256(root: Path) -> str:
    whole = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).digest()
            whole.update(str(path.relative_to(root)).encode() + b"\0" + content)
    return whole.hexdigest()
