"""Whether an upgrade has a way back, on both kinds of database."""

from pathlib import Path

import pytest
import tomli_w
from sqlalchemy import text

from controller.storage.engine import Storage
from provisioning.install.rollback import main


def test_a_database_that_the_upgrade_does_not_copy_is_not_migrated_without_a_word(
    storage: Storage, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(tomli_w.dumps({"database": {"url": database_url}}))
    assert main(["--check", str(config)]) == 0
    with storage.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert main(["--check", str(config)]) == (1 if storage.is_postgresql else 0)
    assert ("pg_dump" in capsys.readouterr().err) is storage.is_postgresql


def test_a_copy_of_sqlites_is_not_put_back_on_postgresql(
    storage: Storage, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, copy = tmp_path / "controller.toml", tmp_path / "copy"
    config.write_text(tomli_w.dumps({"database": {"url": database_url}}))
    copy.touch()
    assert main([str(config), str(copy)]) == 1
    assert capsys.readouterr().err.startswith("rollback: ")
    with storage.read() as conn:
        assert conn.scalar(text("SELECT count(*) FROM alembic_version")) == 1
