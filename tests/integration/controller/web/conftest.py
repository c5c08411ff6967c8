"""The controller's application as it is composed, asked by a client that keeps cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from controller.access import permissions
from controller.app import Role, create_app
from controller.clock import SystemClock
from controller.config import AccessConfig, ControllerConfig, DatabaseConfig, HttpConfig
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from tests.accounts import PASSWORD, enter_account
from tests.fleets import TOKEN

PERSON = "ada"


@pytest.fixture
def config(tmp_path: Path) -> ControllerConfig:
    """A controller that serves people, on a fresh SQLite file."""
    url = f"sqlite:///{tmp_path / 'controller.db'}"
    storage = Storage(url)
    migrate(storage)
    grants = [permissions.Grant(role, permissions.COMPANY) for role in permissions.Role]
    enter_account(storage, SystemClock(), PERSON, grants, password=PASSWORD)
    storage.close()
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    return ControllerConfig(
        database=DatabaseConfig(url=url),
        http=HttpConfig(token_file=token_file),
        access=AccessConfig(second_factor="when_enrolled"),
    )


@pytest.fixture
def client(config: ControllerConfig) -> Iterator[TestClient]:
    """A browser of sorts: it keeps cookies and is told where it is sent, but does not go there."""
    with TestClient(create_app(config, Role.API), follow_redirects=False) as client:
        yield client
