"""The revisions make the tables that the code believes in, on both databases."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from controller.storage.engine import Storage
from controller.storage.migrate import alembic_config, migrate, newest_revision, revision_problem
from controller.storage.tables import metadata

OTHER_DATABASE = {"sqlite": "telemetry_identity_in_day", "postgresql": "telemetry_identity"}
"""The index that only the other database has."""


def test_the_revisions_and_the_tables_say_the_same(storage: Storage) -> None:
    with storage.read() as conn:
        context = MigrationContext.configure(conn, opts={"include_object": _is_ours})
        found: list[Any] = compare_metadata(context, metadata)
    names = [getattr(difference[1], "name", difference) for difference in found]
    assert names == [OTHER_DATABASE[storage.dialect]]


def _is_ours(thing: Any, name: str | None, kind: str, _reflected: object, _other: object) -> bool:
    table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", "")
    return not str(table).startswith("telemetry_")


def test_migrating_twice_changes_nothing(storage: Storage) -> None:
    assert migrate(storage) == newest_revision()
    with storage.read() as conn:
        assert revision_problem(conn) is None


def test_the_revisions_can_be_taken_back(storage: Storage) -> None:
    config = alembic_config()
    with storage.write() as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, "base")
    with storage.read() as conn:
        assert set(inspect(conn).get_table_names()) <= {"alembic_version"}
        assert "expected" in str(revision_problem(conn))


def test_a_database_without_revisions_is_told(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path / 'empty.db'}")
    with storage.read() as conn:
        assert "revision None" in str(revision_problem(conn))
    storage.close()
