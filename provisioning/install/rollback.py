"""Puts a copy of the controller's SQLite database back after an upgrade that failed.

    python -m provisioning.install.rollback [--compare] CONFIG COPY
    python -m provisioning.install.rollback --check CONFIG

The database is the one that the controller's configuration names.

Only where the schema was changed: else the older software reads the newer database, and what was
committed since the copy stays. Where it was, those rows are lost to this database, and it says so.
`--compare` changes nothing and tells by its exit status whether the schema was changed; `--check`
whether there is a way back once this software has migrated the database: one on PostgreSQL is not
copied by the upgrade, so that there is none where the schema is to change.
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from controller.config import load_config
from controller.storage.engine import Storage, sqlite_file
from controller.storage.migrate import revision_problem
from shared.errors import BadInputError

_ELSEWHERE = (
    "the database is on PostgreSQL and {problem}: the upgrade does not copy it, so there would be "
    "no way back. Make a copy with PostgreSQL's own tools (pg_dump), then give --database-copied"
)


def why_no_way_back(url: str) -> str | None:
    """Why an upgrade to this software could not be taken back; None when it could.

    `SQLAlchemyError` when the database cannot be asked.
    """
    if sqlite_file(url) is not None:
        return None
    storage = Storage(url)
    try:
        with storage.read() as conn:
            problem = revision_problem(conn)
    finally:
        storage.close()
    return None if problem is None else _ELSEWHERE.format(problem=problem)


def revision(database: Path) -> str:
    """The schema's revision. `sqlite3.Error` when it cannot be read."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as conn:
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    return "" if row is None else str(row[0])


def put_back(database: Path, copy: Path) -> bool:
    """Puts the copy back where the revisions differ; whether it did. Nothing may use the database.

    `OSError` or `sqlite3.Error` when that cannot be done.
    """
    if database.exists() and revision(database) == revision(copy):
        return False
    making = database.with_name(f"{database.name}.restoring")
    making.write_bytes(copy.read_bytes())
    making.chmod(0o600)
    for leftover in ("-wal", "-shm"):
        database.with_name(f"{database.name}{leftover}").unlink(missing_ok=True)
    making.replace(database)
    return True


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 the database fits the older software, 1 it does not and was not made to."""
    parser = argparse.ArgumentParser(prog="rollback", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("copy", type=Path, nargs="?")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args(list(argv))
    if arguments.check == (arguments.copy is not None):
        parser.error("COPY, or --check")
    try:
        url = load_config(arguments.config).database.url
        if arguments.check:
            return _told(why_no_way_back(url))
        database = sqlite_file(url)
        if database is None:
            return _told("a copy of SQLite's cannot be put back on PostgreSQL")
        if arguments.compare:
            return 0 if revision(database) == revision(arguments.copy) else 1
        done = put_back(database, arguments.copy)
    except (OSError, sqlite3.Error, SQLAlchemyError, BadInputError) as error:
        return _told(str(error))
    kept = "kept the database: the schema is the same"
    put = f"put back {arguments.copy}: what was committed since is not in it"
    sys.stdout.write(f"{put}\n" if done else f"{kept}\n")
    return 0


def _told(problem: str | None) -> int:
    if problem is not None:
        sys.stderr.write(f"rollback: {problem}\n")
    return 0 if problem is None else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
