"""Copies of a database that is being written."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.host.sqlite_copy import CopyError, copy_database, copy_name, outdated

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("CREATE TABLE numbers (n INTEGER)")
        conn.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(5_000)])
        conn.commit()
    return path


def _count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as conn:
        return int(conn.execute("SELECT count(*) FROM numbers").fetchone()[0])


def test_a_copy_has_what_was_committed_though_a_writer_has_more_open(
    database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO numbers VALUES (1)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO numbers VALUES (2)")
        copy = copy_database(database, tmp_path / "backups", "agent", NOW)
        writer.execute("ROLLBACK")
    assert copy.name == "agent-20261125T093000Z.sqlite"
    assert _count(copy) == 5_001
    assert copy.stat().st_mode & 0o077 == 0
    assert [f.name for f in copy.parent.iterdir()] == [copy.name]


def test_copies_of_more_than_a_week_ago_go_when_a_new_one_is_made(
    database: Path, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    for days in (9, 8, 6, 1):
        copy_database(database, backups, "agent", NOW - timedelta(days=days))
    (backups / "notes.txt").write_text("an operator's own")
    copy_database(database, backups, "agent", NOW)
    expected = [copy_name("agent", NOW - timedelta(days=days)) for days in (6, 1, 0)]
    assert sorted(f.name for f in backups.iterdir()) == [*expected, "notes.txt"]


def test_the_newest_copy_stays_however_old() -> None:
    names = [copy_name("agent", NOW - timedelta(days=days)) for days in (30, 40)]
    assert outdated([*names, "x.sqlite"], "agent", NOW) == (names[1],)
    assert outdated(names, "controller", NOW) == ()


def test_a_damaged_database_is_refused_and_older_copies_stay(
    database: Path, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    old = copy_database(database, backups, "agent", NOW - timedelta(days=30))
    with closing(sqlite3.connect(database)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xff" * (4096 * 4)
    database.write_bytes(content)
    with pytest.raises(CopyError):
        copy_database(database, backups, "agent", NOW)
    assert [f.name for f in backups.iterdir()] == [old.name]


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match=r"missing\.sqlite"):
        copy_database(tmp_path / "missing.sqlite", tmp_path / "backups", "agent", NOW)
    assert not (tmp_path / "backups").exists()
