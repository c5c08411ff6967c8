"""A disk of a few MiB that can be filled up and freed."""

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.database import Database

_BLOCK = 4_096


class SmallDisk:
    """A tmpfs of its own where one can be mounted; else the database's growth is stopped.

    In both cases `fill` leaves no room for one page more, and `free` gives the room back.
    """

    def __init__(self, folder: Path, size_mib: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._size_mib = size_mib
        folder.mkdir()
        self.is_real = self._mount()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    async def fill(self, database: Database) -> None:
        """Takes all room that is left."""
        if not self.is_real:
            no_room = SimpleNamespace(f_bavail=0, f_frsize=_BLOCK)
            self._monkeypatch.setattr(os, "statvfs", lambda _: no_room)
            await database.write(_stop_growth)
        self.take_all()

    def take_all(self) -> None:
        """Takes all room that is left, where the disk is real."""
        if not self.is_real:
            return
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, bytes(_BLOCK))
        os.close(descriptor)

    def free(self) -> None:
        """Gives the room back."""
        if self.is_real:
            self._ballast.unlink(missing_ok=True)
        else:
            self._monkeypatch.undo()

    def unmount(self) -> None:
        """Ends it."""
        if self.is_real:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _mount(self) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size_mib}m", "none"]
        try:
            done = subprocess.run([*command, str(self.folder)], check=False, capture_output=True)
        except FileNotFoundError:
            return False
        return done.returncode == 0


def _stop_growth(connection: sqlite3.Connection) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
