"""Disks for the buffer's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agent.buffer.disks import SmallDisk


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A disk of 8 MiB."""
    disk = SmallDisk(tmp_path / "disk", 8, monkeypatch)
    yield disk
    disk.free()
    disk.unmount()
