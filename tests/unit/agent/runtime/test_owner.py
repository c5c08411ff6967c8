"""What root does in an agent's folder reaches no further than the agent itself does."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.identity.folder import IdentityFolder, write_file
from agent.runtime.host import DataFolder, DataFolderError
from agent.runtime.owner import acting_as_owner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lay down")
AGENT = pwd.getpwnam("daemon")


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """Where others than root may pass, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.fixture(name="data")
def _data(place: Path) -> Path:
    """An agent's data folder, beside a folder of root's."""
    data = place / "data"
    data.mkdir(mode=0o700)
    os.chown(data, AGENT.pw_uid, AGENT.pw_gid)
    (place / "roots" / "1").mkdir(parents=True)
    (place / "roots" / "1" / "file").write_text("root's")
    return data


def test_what_is_made_belongs_to_the_agent_and_nobody_else_reads_it(data: Path) -> None:
    with acting_as_owner(data):
        folder = IdentityFolder(data / "identity")
        folder.prepare()
        folder.pending_key()
        DataFolder.take(data).release()
    assert os.geteuid() == 0
    for made in (folder.path, folder.path / "pending.key", data / "agent.lock"):
        found = made.stat()
        assert (found.st_uid, found.st_gid) == (AGENT.pw_uid, AGENT.pw_gid)
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0


def test_generations_that_lead_elsewhere_are_not_deleted_there(data: Path, place: Path) -> None:
    identity = data / "identity"
    identity.mkdir()
    (identity / "generations").symlink_to(place / "roots")
    with pytest.raises(PermissionError), acting_as_owner(data):
        IdentityFolder(identity).drop_old()
    assert (place / "roots" / "1" / "file").read_text() == "root's"
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_lock_that_leads_elsewhere_is_refused_and_nothing_made_there(
    data: Path, place: Path
) -> None:
    (data / "agent.lock").symlink_to(place / "roots" / "made")
    with pytest.raises(DataFolderError):
        DataFolder.take(data)
    assert not (place / "roots" / "made").exists()


def test_a_file_behind_a_link_of_the_agents_is_not_written(data: Path, place: Path) -> None:
    (data / "identity").symlink_to(place / "roots")
    with pytest.raises(PermissionError), acting_as_owner(data):
        write_file(data / "identity" / "file", b"another's", mode=0o600)
    assert (place / "roots" / "1" / "file").read_text() == "root's"
    assert sorted(item.name for item in (place / "roots").iterdir()) == ["1"]


@pytest.mark.parametrize("kind", ["the agent's", "root's"])
def test_a_link_in_the_folders_place_gives_nobody_s_rights(
    data: Path, place: Path, kind: str
) -> None:
    link = place / "link"
    link.symlink_to(data if kind == "the agent's" else place / "roots")
    with pytest.raises(NotADirectoryError, match="link"), acting_as_owner(link):
        pytest.fail("it went on behind the link")
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_in_a_folder_of_its_own_root_stays_root(place: Path) -> None:
    with acting_as_owner(place):
        assert os.geteuid() == 0
