"""The shipped upgrade, cut off after each of its effects and given again.

The scripts are the shipped ones; `upgrading.sh` stands for systemd, the databases and pip.
"""

import subprocess
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

ROOT = Path(__file__).resolve().parents[4]
HARNESS = Path(__file__).with_name("upgrading.sh")
UNITS = ("bes-agent@site.service", "bes-controller.service")
_MOST_EFFECTS = 60
_NEVER = 0
_KILLED = -9


class Host:
    """A make-believe host on release 1."""

    def __init__(self, folder: Path, *, ill: str = "nothing", schema_changes: bool) -> None:
        self.folder = folder
        self._ill = ill
        self._schema_changes = schema_changes
        for name in ("active", "opt/releases/1", "opt/releases/2"):
            (folder / name).mkdir(parents=True)
        (folder / "opt" / "current").symlink_to(folder / "opt" / "releases" / "1")
        for unit in UNITS:
            (folder / "active" / unit).write_text("1 open\n")
        (folder / "db").write_text("schema 1\n")
        (folder / "acknowledged").write_text("")

    def upgrade(self, kill_after: int = _NEVER) -> "subprocess.CompletedProcess[str]":
        """The installer's run with --upgrade."""
        changes = "yes" if self._schema_changes else "no"
        return subprocess.run(
            ("bash", str(HARNESS), str(self.folder), str(kill_after), self._ill, changes),
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )

    def reboot(self) -> None:
        """Every unit starts with what is current; /run is empty."""
        (self.folder / "trial.d" / "trial.conf").unlink(missing_ok=True)
        for unit in UNITS:
            (self.folder / "active" / unit).write_text(f"{self.release} open\n")

    @property
    def release(self) -> str:
        """The current one."""
        return (self.folder / "opt" / "current").readlink().name

    @property
    def lost(self) -> set[str]:
        """What was acknowledged and is not committed."""
        acknowledged = (self.folder / "acknowledged").read_text().split()
        return set(acknowledged) - set((self.folder / "db").read_text().split())

    def assert_settled_on(self, release: str) -> None:
        """Everything runs on one release, nothing is half done."""
        assert self.release == release
        assert not (self.folder / "opt" / "upgrading").exists()
        assert not (self.folder / "trial.d").exists()
        schema = release if self._schema_changes else "1"
        assert (self.folder / "db").read_text().splitlines()[0] == f"schema {schema}"
        for unit in UNITS:
            assert (self.folder / "active" / unit).read_text() == f"{release} open\n"


@pytest.mark.parametrize("schema_changes", [True, False])
@pytest.mark.parametrize("ill", ["nothing", *UNITS])
def test_it_ends_on_the_version_that_is_healthy_and_loses_nothing_acknowledged(
    ill: str, tmp_path: Path, *, schema_changes: bool
) -> None:
    host = Host(tmp_path / "host", ill=ill, schema_changes=schema_changes)
    ran = host.upgrade()
    assert ran.returncode == (0 if ill == "nothing" else 1), ran.stderr
    host.assert_settled_on("2" if ill == "nothing" else "1")
    assert host.lost == set()
    assert ("tried without a network" in ran.stdout) is schema_changes


@pytest.mark.parametrize("ill", ["nothing", "bes-agent@site.service"])
def test_cut_off_anywhere_it_is_finished_or_taken_back_by_the_next_run(
    ill: str, tmp_path: Path
) -> None:
    said = []
    for kill_after in range(1, _MOST_EFFECTS):
        host = Host(tmp_path / str(kill_after), ill=ill, schema_changes=True)
        if host.upgrade(kill_after).returncode != _KILLED:
            break
        ran = host.upgrade()
        said.append(ran.stdout)
        assert "unbound" not in ran.stderr
        host.assert_settled_on("2" if ill == "nothing" else "1")
        assert host.lost == set(), f"killed after effect {kill_after}: {ran.stdout}"
    else:
        pytest.fail("it never came to its end")
    phases = ["stopping", "trying"]
    phases += ["opening"] if ill == "nothing" else ["rolling-back", "rolled-back"]
    for phase in phases:
        assert any(f"was cut off while {phase}\n" in text for text in said), phase


@pytest.mark.parametrize("kill_after", [3, 8, 11, 13])
def test_a_reboot_in_between_changes_nothing_of_that(kill_after: int, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", schema_changes=True)
    assert host.upgrade(kill_after).returncode == _KILLED
    host.reboot()
    assert host.upgrade().returncode == 0
    host.assert_settled_on("2")


def test_a_second_installer_waits_until_the_first_one_ended(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = (
        "me=test use_index=no purge_data=no; . provisioning/install/common.sh; "
        f"LOCK={lock}; one_at_a_time; echo its turn; exec cat"
    )
    with Popen(("bash", "-c", script), cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "its turn\n"
        with Popen(("bash", "-c", script), cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as second:
            assert second.stdout is not None
            assert "waiting for its end" in second.stdout.readline()
            first.kill()
            assert second.stdout.readline() == "its turn\n"
            second.kill()
