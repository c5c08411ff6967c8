"""`bes agent upkeep | restore`: copies of the database, and whether the certificate is renewed.

`restore` puts a copy back after an upgrade that failed, and only if nothing was accepted since: a
row that is taken back could be one the controller has committed, and its number would be allotted
again and taken for the old row. With new rows the newer database stays.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.config import AgentConfig
from agent.schema import STREAMS
from shared.host.sqlite_copy import CopyError, copy_database
from shared.identity.errors import IdentityError
from shared.identity.pem import read_certificates

LATE_AT = 5 / 6
"""The agent renews at two thirds of a certificate's life; at this share something is wrong."""
_MOST_PEM = 256 * 1024


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a database has allotted: its streams' ids and the highest number of each table."""

    streams: tuple[tuple[str, int], ...]
    highest: tuple[tuple[str, int], ...]


def backups_folder(config: AgentConfig) -> Path:
    """Where copies lie."""
    return config.data_dir / "backups"


def copy(config: AgentConfig, now: datetime) -> Path:
    """Makes a checked copy and deletes outdated ones; its path. Raises `CopyError`."""
    return copy_database(config.database_file, backups_folder(config), "agent", now)


def certificate_problem(config: AgentConfig, now: datetime) -> str | None:
    """Why somebody should look at the certificate; None while renewal keeps up."""
    try:
        with config.broker.certificate_file.open("rb") as file:
            leaf = read_certificates(file.read(_MOST_PEM))[0]
    except (OSError, IdentityError, IndexError) as error:
        return f"the certificate cannot be read: {error}"
    return lateness(leaf.not_valid_before_utc, leaf.not_valid_after_utc, now)


def lateness(begins: datetime, ends: datetime, now: datetime) -> str | None:
    """Why a certificate of this span should have been renewed by now; None while it is fresh."""
    if now >= ends:
        return f"the certificate ended at {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if now - begins > (ends - begins) * LATE_AT:
        return f"not renewed yet, and the certificate ends at {ends.astimezone(UTC):%F %H:%M} UTC"
    return None


def restore(database: Path, backup: Path) -> bool:
    """Puts `backup` in the place of `database`; False when rows were accepted since, then nothing
    is changed. The agent must not run. `CopyError` when either cannot be read."""
    if database.exists() and _numbers(database) != _numbers(backup):
        return False
    making = database.with_name(f"{database.name}.restoring")
    try:
        making.write_bytes(backup.read_bytes())
        making.chmod(0o600)
        for leftover in ("-wal", "-shm"):
            database.with_name(f"{database.name}{leftover}").unlink(missing_ok=True)
        making.replace(database)
    except OSError as error:
        raise CopyError(f"{database}: {error}") from error
    return True


def _numbers(database: Path) -> Numbers:
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as conn:
            streams = conn.execute("SELECT name, id FROM streams ORDER BY name").fetchall()
            marks = ",".join("?" * len(STREAMS))
            highest = conn.execute(
                f"SELECT name, seq FROM sqlite_sequence WHERE name IN ({marks}) ORDER BY name",  # noqa: S608 - marks only
                STREAMS,
            ).fetchall()
    except sqlite3.Error as error:
        raise CopyError(f"{database}: {error}") from error
    return Numbers(tuple(map(tuple, streams)), tuple(map(tuple, highest)))
