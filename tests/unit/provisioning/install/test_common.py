"""What both installers share, with make-believe folders and a make-believe systemctl."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
_SOURCED = """
set -euo pipefail
me=test use_index=no purge_data=no
. provisioning/install/common.sh
. provisioning/install/upgrade.sh
ETC=$1/etc DATA=$1/data OPT=$1/opt UNITS=$1/units
systemctl() { # enabled and active are what is listed in files of these names
  case $1 in
    is-enabled) grep -qx "${*: -1}" "$ETC/enabled" ;;
    is-active) grep -qx "${*: -1}" "$ETC/active" ;;
  esac
}
getent() { return 1; }
"""


class Host:
    """Folders below one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("etc/site", "etc/signer", "data", "opt/current/systemd", "units"):
            (folder / name).mkdir(parents=True)
        for role in ("site", "signer"):
            (folder / "etc" / role / "agent.toml").touch()
        self.units([], [])

    def units(self, enabled: list[str], active: list[str]) -> None:
        """Which units are enabled, and which run."""
        for name, listed in (("enabled", enabled), ("active", active)):
            (self.folder / "etc" / name).write_text("".join(f"{unit}\n" for unit in listed))

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """A command with the shared functions at hand."""
        return subprocess.run(
            ("bash", "-c", f"{_SOURCED}\n{command}", "test", str(self.folder)),
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("enabled", "active"),
    [
        (["bes-agent@signer.service"], []),
        (["bes-agent-upkeep@signer.timer"], []),  # switched off for a while
        ([], ["bes-agent@signer.service"]),
    ],
)
def test_another_service_keeps_the_software_although_it_is_not_to_run(
    host: Host, enabled: list[str], active: list[str]
) -> None:
    host.units(enabled, active)
    ran = host.run("remove_rest")
    assert "kept for bes-agent@signer.service" in ran.stdout
    assert (host.folder / "opt" / "current").is_dir()


def test_what_no_service_uses_any_more_is_removed_and_kept_data_do_not_count(host: Host) -> None:
    ran = host.run('rm() { case $* in */opt) command rm -rf "$OPT" ;; esac; }; remove_rest')
    assert ran.returncode == 0, ran.stderr
    assert not (host.folder / "opt").exists()
    assert (host.folder / "etc" / "signer" / "agent.toml").exists()


def test_a_link_in_a_folders_place_is_refused_and_what_it_leads_to_stays(host: Host) -> None:
    target = host.folder / "target"
    target.mkdir(mode=0o700)
    (host.folder / "data" / "site").symlink_to(target)
    ran = host.run('ensure_folder "$DATA/site" 755 daemon')
    assert ran.returncode == 1
    assert "is a link" in ran.stderr
    assert (target.stat().st_uid, target.stat().st_mode & 0o777) == (os.geteuid(), 0o700)


@pytest.mark.parametrize("script", ["install-agent.sh", "install-controller.sh"])
def test_nobody_but_root_can_put_a_link_where_the_installers_make_folders(script: str) -> None:
    text = (ROOT / "provisioning" / "install" / script).read_text()
    assert 'ensure_folder "$DATA" 755 root\n' in text
    assert text.index('ensure_folder "$DATA" 755 root') < text.index('ensure_folder "$DATA/')


_UPGRADE = """
ln -s "$OPT/releases/1" "$OPT/current.link"; readlink() { command readlink "$OPT/current.link"; }
release=$OPT/releases/2
install_release() { :; }
services() { echo bes-controller.service; }
as_user() { case "$*" in *--check*) return 1 ;; esac; }
note() { echo "begun"; exit 0; }
upgrade
"""


def test_an_upgrade_that_could_not_be_taken_back_is_refused_before_anything_stops(
    host: Host,
) -> None:
    ran = host.run(_UPGRADE)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "nothing was upgraded" in ran.stderr
    assert host.run(f"rm $OPT/current.link; database_copied=yes\n{_UPGRADE}").stdout == "begun\n"
