"""The controller's application as it is composed, asked by a client that keeps cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from controller.app import Role, create_app
from controller.config import ControllerConfig, DatabaseConfig, HttpConfig
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from tests.fleets import TOKEN


@pytest.fixture
def config(tmp_path: Path) -> ControllerConfig:
    """A controller that serves people, on a fresh SQLite file."""
    url = f"sqlite:///{tmp_path / 'controller.db'}"
    storage = Storage(url)
    migrate(storage)
    storage.close()
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    return ControllerConfig(
        database=DatabaseConfig(url=url), http=HttpConfig(token_file=token_file)
    )


@pytest.fixture
def client(config: ControllerConfig) -> Iterator[TestClient]:
    """A browser of sorts: it keeps cookies and is told where it is sent, but does not go there."""
    with TestClient(create_app(config, Role.API), follow_redirects=False) as client:
        yield client
