"""Checked copies of a SQLite database that is in use, a week of them kept.

A copy goes through SQLite's online backup (https://www.sqlite.org/backup.html): the database is
written on meanwhile, and the copy is of one moment. Both sides keep their databases this way.
"""

import os
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

KEPT_FOR = timedelta(days=7)
_NAME = re.compile(r"^(?P<stem>[a-z]+)-(?P<made>\d{8}T\d{6}Z)\.sqlite$")
_STAMP = "%Y%m%dT%H%M%SZ"
_PAGES_A_STEP = 2_000
_WAIT_S = 30.0


class CopyError(Exception):
    """A copy that could not be made, or is not sound."""


def copy_name(stem: str, now: datetime) -> str:
    """The file name of a copy made now."""
    return f"{stem}-{now.astimezone(UTC):{_STAMP}}.sqlite"


def outdated(names: Iterable[str], stem: str, now: datetime) -> tuple[str, ...]:
    """Those of `names` that are copies called `stem` and older than a week. Pure.

    The newest copy is never among them, however old it is; other files are never either.
    """
    made = {}
    for name in names:
        found = _NAME.match(name)
        if found is not None and found["stem"] == stem:
            made[name] = datetime.strptime(found["made"], _STAMP).replace(tzinfo=UTC)
    newest = max(made, key=made.__getitem__, default=None)
    return tuple(
        sorted(name for name, when in made.items() if name != newest and now - when > KEPT_FOR)
    )


def copy_database(database: Path, folder: Path, stem: str, now: datetime) -> Path:
    """Makes a copy of `database` in `folder` and deletes the outdated ones; the copy's path.

    `CopyError` when there is no database, no room, or the copy is not sound: then no copy was
    added, and none deleted.
    """
    if not database.is_file():
        raise CopyError(f"{database}: there is no database")
    copy = folder / copy_name(stem, now)
    making = copy.with_name(f"{copy.name}.new")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_room(database, folder)
        making.unlink(missing_ok=True)
        _write_copy(database, making)
        _check_copy(making)
        _sync(making)
        making.replace(copy)
        _sync(folder)
        for name in outdated([file.name for file in folder.iterdir()], stem, now):
            (folder / name).unlink()
    except (OSError, sqlite3.Error) as error:
        raise CopyError(f"{database}: {error}") from error
    finally:
        making.unlink(missing_ok=True)
    return copy


def _check_room(database: Path, folder: Path) -> None:
    """A copy must not be what fills the disk of the database it is of."""
    size = database.stat().st_size
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < 2 * size:
        raise CopyError(f"{folder}: {free} bytes are free, a copy wants twice {size}")


def _write_copy(database: Path, making: Path) -> None:
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    with (
        closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as source,
        closing(sqlite3.connect(making)) as target,
    ):
        source.execute(f"PRAGMA busy_timeout = {round(_WAIT_S * 1_000)}")
        source.backup(target, pages=_PAGES_A_STEP)
        target.execute("PRAGMA journal_mode = DELETE")


def _check_copy(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as conn:
        said = [str(row[0]) for row in conn.execute("PRAGMA integrity_check(5)")]
    if said != ["ok"]:
        raise CopyError(f"{copy}: the copy is not sound: {'; '.join(said)[:300]}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
