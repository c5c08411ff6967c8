"""Passwords come from files."""

from pathlib import Path

import pytest

from firmware_bridges.errors import NotAuthorisedError
from firmware_bridges.miners.secret import read_secret


@pytest.mark.parametrize(
    ("content", "secret"), [(b"hunter2\n", "hunter2"), (b"pass word", "pass word"), (b"\n", "")]
)
def test_the_first_line_is_the_secret(tmp_path: Path, content: bytes, secret: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert read_secret(path) == secret


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 1025])
def test_a_file_without_a_usable_line_is_refused_without_showing_it(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(NotAuthorisedError) as caught:
        read_secret(path)
    assert "xxx" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NotAuthorisedError, match="missing"):
        read_secret(tmp_path / "missing")
