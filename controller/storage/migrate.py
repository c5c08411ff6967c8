"""Brings the database to the newest revision, and tells whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from controller.storage.engine import Storage

_LOCK = 0x626573  # "bes": one process migrates at a time


def alembic_config() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%")
    )
    return config


def migrate(storage: Storage) -> str:
    """Runs the missing revisions in one transaction; returns the newest revision."""
    config = alembic_config()
    with storage.write() as conn:
        if storage.is_postgresql:
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
    return newest_revision()


def newest_revision() -> str:
    """The revision that this software expects."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise RuntimeError("there are no revisions beside this module")
    return head


def revision_problem(conn: Connection) -> str | None:
    """Why the database does not fit this software; None when it does."""
    current = MigrationContext.configure(conn).get_current_revision()
    newest = newest_revision()
    return None if current == newest else f"at revision {current}, {newest} is expected"
