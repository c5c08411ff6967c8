"""Puts a copy of the controller's SQLite database back after an upgrade that failed.

    python -m provisioning.install.rollback DATABASE COPY

Only where the schema was changed: else the older software reads the newer database, and what was
committed since the copy stays. Where it was, those rows are lost to this database, and it says so.
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path


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
    """Exit status: 0 the database fits the older software, 1 it could not be made to."""
    parser = argparse.ArgumentParser(prog="rollback", description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("copy", type=Path)
    arguments = parser.parse_args(list(argv))
    try:
        done = put_back(arguments.database, arguments.copy)
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"rollback: {error}\n")
        return 1
    kept = "kept the database: the schema is the same"
    put = f"put back {arguments.copy}: what was committed since is not in it"
    sys.stdout.write(f"{put}\n" if done else f"{kept}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
