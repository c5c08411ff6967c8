"""When a copy may be put back, and when a certificate is late."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.schema import migrate
from agent.upkeep import lateness, restore
from shared.host.sqlite_copy import CopyError, copy_database

BEGINS = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=6)


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    path = tmp_path / "agent.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        migrate(conn)
    _accept(path)
    return path


def _accept(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as conn:
        conn.execute("INSERT INTO event (time_ms, body) VALUES (1, x'00')")


def _add_table(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as conn:
        conn.execute("CREATE TABLE of_a_later_version (x INTEGER)")


def _tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as conn:
        return {str(row[0]) for row in conn.execute("SELECT name FROM sqlite_master")}


def test_a_copy_is_put_back_when_no_row_came_since(database: Path, tmp_path: Path) -> None:
    copy = copy_database(database, tmp_path / "backups", "agent", BEGINS)
    _add_table(database)
    assert restore(database, copy)
    assert "of_a_later_version" not in _tables(database)


def test_rows_accepted_since_keep_the_newer_database(database: Path, tmp_path: Path) -> None:
    copy = copy_database(database, tmp_path / "backups", "agent", BEGINS)
    _accept(database)
    _add_table(database)
    assert not restore(database, copy)
    assert "of_a_later_version" in _tables(database)


def test_a_copy_of_another_stream_is_never_put_in_its_place(database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other, isolation_level=None)) as conn:
        migrate(conn)
    _accept(other)
    assert not restore(database, other)


def test_a_copy_that_is_none_is_refused(database: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 1_000)
    with pytest.raises(CopyError):
        restore(database, broken)
    assert "telemetry" in _tables(database)


@pytest.mark.parametrize(
    ("days", "late"), [(0, False), (4.5, False), (5.1, True), (6, True), (9, True)]
)
def test_a_certificate_is_late_after_five_sixths_of_its_life(days: float, late: bool) -> None:
    problem = lateness(BEGINS, ENDS, BEGINS + timedelta(days=days))
    assert (problem is not None) is late
    if days >= 6:
        assert problem is not None
        assert "ended" in problem
