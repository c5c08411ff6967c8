"""The controller's enrolment interface for a host's side of it; SQLite serves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.storage.engine import Storage
from tests.enrolments import Interface, running_interface


@pytest.fixture
def interface(sqlite_template: Path, tmp_path: Path) -> Iterator[Interface]:
    """Behind real HTTPS."""
    file = tmp_path / "controller.db"
    shutil.copyfile(sqlite_template, file)
    storage = Storage(f"sqlite:///{file}")
    with running_interface(storage, tmp_path) as running:
        yield running
    storage.close()
