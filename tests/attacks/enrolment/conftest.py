"""The enrolment interface over a fresh database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.storage.engine import Storage
from tests.enrolments import Interface, running_interface


@pytest.fixture
def interface(storage: Storage, tmp_path: Path) -> Iterator[Interface]:
    """Behind real HTTPS, on SQLite and on PostgreSQL."""
    with running_interface(storage, tmp_path) as running:
        yield running
