"""An authority's files: private, whole, and never written over by chance."""

import os
import stat
from pathlib import Path

import pytest

from provisioning.ca.errors import CeremonyError
from provisioning.ca.files import make_folder, read_file, read_private, replace_file, write_new


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    write_new(tmp_path / "new", b"1")
    replace_file(tmp_path / "other", b"2")
    assert mode(make_folder(tmp_path / "folder")) == 0o700
    assert mode(tmp_path / "new") == mode(tmp_path / "other") == 0o600


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"first")
    with pytest.raises(CeremonyError, match="not overwritten"):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CeremonyError, match="not overwritten"):
        write_new(tmp_path / "key", b"secret")
    assert not (tmp_path / "elsewhere").exists()


def test_a_replaced_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    replace_file(tmp_path / "list", b"1")
    replace_file(tmp_path / "list", b"2")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"list": b"2"}


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o644])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, open_to: int) -> None:
    path = tmp_path / "passphrase"
    write_new(path, b"secret")
    assert read_private(path) == b"secret"
    path.chmod(open_to)
    with pytest.raises(CeremonyError, match="chmod 600"):
        read_private(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError, match=r"absent cannot be read: No such file"):
        read_file(tmp_path / "absent")
