"""What reloads a site's broker, and that root gives nothing away through a link of the broker's."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.detection.broker_log import BrokerLogReader
from controller.detection.kinds import SecurityKind
from provisioning.authority import Credentials
from provisioning.broker import BrokerPlan
from provisioning.broker_site import SitePlan, write

_SYSTEMCTL = """#!/bin/sh
echo "$*" >>{calls}
[ ! -e {broken} ] || [ "$1" = restart ]
"""


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> SitePlan:
    for name in ("ca.pem", "broker.pem", "broker.key", "crl.pem"):
        (tmp_path / name).touch()
    return SitePlan(
        broker=BrokerPlan(
            folder=tmp_path / "data",
            port=8883,
            ca_file=tmp_path / "ca.pem",
            credentials=Credentials(tmp_path / "broker.pem", tmp_path / "broker.key"),
            user="root",
            crl_file=tmp_path / "crl.pem",
            watched=True,
            log_file=tmp_path / "log" / "bes.log",
        ),
        etc=tmp_path / "etc",
        units=tmp_path / "units",
        logrotate=tmp_path / "etc" / "logrotate.conf",
    )


class Host:
    """A host whose systemctl only writes down what it was asked."""

    def __init__(self, plan: SitePlan, folder: Path) -> None:
        self._script, self._folder = plan.reload, folder
        self._calls, self._broken = folder / "calls", folder / "broken"
        self._read = folder / "read"
        program = folder / "systemctl"
        program.write_text(_SYSTEMCTL.format(calls=self._calls, broken=self._broken))
        program.chmod(0o755)

    def asked(self) -> list[str]:
        """What one run of the script asks of systemctl."""
        self._calls.write_text("")
        environment = {
            "PATH": f"{self._folder}:/usr/bin:/bin",
            "RUNTIME_DIRECTORY": str(self._folder),
        }
        subprocess.run([str(self._script)], check=True, env=environment)
        return self._calls.read_text().splitlines()

    def let_time_pass(self) -> None:
        """An hour since the last reading, of which no file has changed."""
        changed_ns = max(path.stat().st_ctime_ns for path in self._folder.glob("*.pem"))
        os.utime(self._read, ns=(changed_ns, changed_ns))

    def refuse_reloads(self) -> None:
        """As a host whose broker's unit cannot be reloaded."""
        self._broken.touch()


@pytest.fixture(name="host")
def _host(plan: SitePlan, tmp_path: Path) -> Host:
    write(plan)
    return Host(plan, tmp_path)


RELOAD, RESTART = "try-reload-or-restart mosquitto.service", "restart mosquitto.service"


def test_a_list_that_changed_is_read_again_and_one_that_did_not_is_not(
    host: Host, tmp_path: Path
) -> None:
    assert host.asked() == [RELOAD]
    host.let_time_pass()
    assert host.asked() == []
    made = tmp_path / "next.crl"
    made.write_text("a revocation")
    os.utime(made, (1, 1))  # a renamed file keeps its mtime
    made.replace(tmp_path / "crl.pem")
    assert host.asked() == [RELOAD]


def test_what_is_missing_is_no_reason_to_believe_that_all_is_read(
    host: Host, tmp_path: Path
) -> None:
    host.asked()
    host.let_time_pass()
    (tmp_path / "crl.pem").unlink()
    assert host.asked() == [RELOAD]


def test_a_broker_that_cannot_be_reloaded_is_restarted(host: Host) -> None:
    host.refuse_reloads()
    assert host.asked() == [RELOAD, RESTART]


def test_the_script_passes_shellcheck(plan: SitePlan) -> None:
    write(plan)
    ran = subprocess.run(
        ["shellcheck", str(plan.reload)], check=False, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_many_changes_in_a_row_do_not_end_the_watching(plan: SitePlan) -> None:
    """systemd gives a path unit up once the service that it starts hits its start limit."""
    write(plan)
    service = (plan.units / "bes-broker-reload.service").read_text()
    unit, _, _ = service.partition("[Service]")
    assert "StartLimitIntervalSec=0" in unit
    assert "OnFailure=bes-broker-unread.service" in unit
    for changed in ("crl.pem", "ca.pem", "broker.pem"):
        watched = (plan.units / "bes-broker-reload.path").read_text()
        assert f"PathChanged={plan.etc.parent / changed}\n" in watched


def test_the_units_are_verified_without_a_complaint(plan: SitePlan) -> None:
    write(plan)
    rotation = plan.units / "bes-broker-log.service"
    rotation.write_text(rotation.read_text().replace("/usr/sbin/logrotate", "/bin/true"))
    units = [str(file) for file in plan.units.iterdir() if file.is_file()]
    ran = subprocess.run(
        ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units),
        check=False,
        capture_output=True,
        text=True,
    )
    assert [line for line in ran.stderr.splitlines() if "bes-" in line] == []


def test_a_reload_that_failed_becomes_a_security_event(plan: SitePlan) -> None:
    write(plan)
    text = (plan.units / "bes-broker-unread.service").read_text()
    (start,) = (line for line in text.splitlines() if line.startswith("ExecStart=/bin/sh -c '"))
    command = start.removeprefix("ExecStart=/bin/sh -c '").removesuffix("'").replace("%%", "%")
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert plan.broker.log_file is not None
    (line,) = plan.broker.log_file.read_text().splitlines()
    found = BrokerLogReader(frozenset()).read(line)
    assert found is not None
    assert found.kind is SecurityKind.BROKER_MISCONFIGURED
    assert "could not be reloaded" in found.detail["text"]


@contextmanager
def _roots_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shadow"
        file.write_text("root's")
        yield file


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_of_the_brokers_user_gives_it_no_file_of_roots(plan: SitePlan) -> None:
    """Its folder is its own: it can put links there, and wait for the next installation."""
    write(plan)
    with _roots_file() as file:
        plan.broker.folder.joinpath("dynamic-security.json").symlink_to(file)
        broker = replace(plan.broker, user="daemon")
        write(SitePlan(broker, plan.etc, plan.units, plan.logrotate))
        assert file.stat().st_uid == 0
        assert plan.broker.log_file is not None
        target = file.with_name("made")
        plan.broker.log_file.unlink()
        plan.broker.log_file.symlink_to(target)
        with pytest.raises(FileExistsError):
            write(SitePlan(broker, plan.etc, plan.units, plan.logrotate))
        assert not target.exists()
