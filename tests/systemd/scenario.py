"""What a deployment goes through; the same on every Debian."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.systemd.bundles import make_bundle
from tests.systemd.deployment import CONTROLLER, NODES, SERVICES, Deployment
from tests.systemd.machines import Machine, machine

NEWER, BROKEN = "900.1.0", "900.2.0"
_BREAKS_THE_AGENT = '\nraise RuntimeError("this version is broken on purpose")\n'
_WATCHDOG_PATIENCE_S = 150.0
_KNOCK = """
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with context.wrap_socket(socket.create_connection(("127.0.0.1", 8883), 30)) as link:
    try:
        link.recv(1)
    except ssl.SSLError as error:
        print("refused:", error)
"""


@contextmanager
def deployment(suite: str, folder: Path) -> Iterator[Deployment]:
    """A machine with everything installed; torn down afterwards."""
    bundles = folder / "bundles"
    make_bundle(bundles, "900.0.0")
    make_bundle(bundles, NEWER)
    make_bundle(bundles, BROKEN, {"agent/runtime/process.py": _BREAKS_THE_AGENT})
    with machine(suite, folder, {bundles: "/srv/bundles"}) as booted:
        deployed = Deployment(booted, "/srv/bundles/bundle-900.0.0")
        try:
            deployed.set_up()
            yield deployed
        finally:
            (folder / "journal.txt").write_text(booted.journal())
    shutil.rmtree(bundles)


def telemetry_is_committed(deployed: Deployment) -> None:
    """Of both roles."""
    deployed.wait_until_up()
    deployed.wait_for_all_rows()
    assert set(deployed.committed()) == set(NODES.values())


def installing_again_changes_nothing(deployed: Deployment) -> None:
    """And says so."""
    pids = [deployed.machine.main_pid(unit) for unit in SERVICES]
    controller = deployed.install_controller()
    agents = [deployed.agent_script(f"--role {role}") for role in NODES]
    for ran in (controller, *agents):
        assert ran.output.strip().endswith("nothing to change"), ran.output
        assert len(ran.output.strip().splitlines()) == 1, ran.output
    assert [deployed.machine.main_pid(unit) for unit in SERVICES] == pids


def refused_clients_are_told(deployed: Deployment) -> None:
    """Somebody without a certificate knocks at the broker: a security event, from its log."""
    knocked = deployed.machine.run("/opt/bes/current/bin/python -I -", _KNOCK).output
    assert "refused" in knocked
    deployed.machine.wait_for(
        lambda: "certificate_refused" in deployed.security_events(), "the event", 60.0
    )


def upkeep_runs(deployed: Deployment) -> None:
    """The timers' services succeed, and leave a checked copy each."""
    units = [f"bes-agent-upkeep@{role}" for role in NODES]
    deployed.machine.run(f"systemctl start bes-controller-upkeep bes-renew {' '.join(units)}")
    for folder in ("controller", *NODES):
        copies = deployed.machine.run(f"ls /var/lib/bes/{folder}/backups").output.split()
        assert len(copies) == 1, copies
        assert copies[0].endswith(".sqlite")


def other_instances_files_are_out_of_reach(deployed: Deployment) -> None:
    """A site agent that was taken over cannot read the signer's files, nor any secret of root's."""
    pid = deployed.machine.main_pid("bes-agent@site")
    seen = deployed.machine.run(f"nsenter -t {pid} -m ls /var/lib/bes /etc/bes").output
    assert "site" in seen
    assert "signer" not in seen
    assert "controller" not in seen


def what_is_killed_comes_back(deployed: Deployment) -> None:
    """SIGKILL to each main process at once."""
    _stopped_by("KILL", deployed, 60.0)


def what_hangs_is_restarted(deployed: Deployment) -> None:
    """SIGSTOP: nothing turns any more, and the watchdog notices."""
    _stopped_by("STOP", deployed, _WATCHDOG_PATIENCE_S)


def _stopped_by(signal: str, deployed: Deployment, patience_s: float) -> None:
    booted = deployed.machine
    before = {unit: booted.main_pid(unit) for unit in SERVICES}
    assert all(before.values()), before
    booted.run(f"kill -{signal} {' '.join(map(str, before.values()))}")
    booted.wait_for(
        lambda: all(booted.main_pid(u) not in {0, pid} for u, pid in before.items()),
        f"new processes after SIG{signal}",
        patience_s,
    )
    deployed.wait_until_up()
    for unit in SERVICES:
        assert int(booted.show(unit, "NRestarts")) >= 1
    deployed.wait_for_all_rows()


def a_reboot_brings_all_back(deployed: Deployment) -> None:
    """And no row is lost."""
    accepted = deployed.accepted()
    deployed.machine.reboot()
    deployed.wait_until_up()
    deployed.machine.wait_for(lambda: deployed.has_all_of(accepted), "the rows before", 120.0)
    deployed.wait_for_all_rows()


def an_upgrade_keeps_data(deployed: Deployment) -> None:
    """Same streams, no row lost, the new version runs."""
    accepted = deployed.accepted()
    newer = Deployment(deployed.machine, f"/srv/bundles/bundle-{NEWER}")
    ran = newer.agent_script("--upgrade")
    assert f"upgraded to {NEWER}" in ran.output
    assert _version(deployed.machine) == NEWER
    deployed.wait_until_up()
    assert deployed.has_all_of(accepted)
    deployed.wait_for_all_rows()
    assert "nothing to change" in newer.agent_script("--upgrade").output


def a_broken_version_is_rolled_back(deployed: Deployment) -> None:
    """The version before runs again, with all that was there."""
    accepted = deployed.accepted()
    broken = Deployment(deployed.machine, f"/srv/bundles/bundle-{BROKEN}")
    ran = broken.agent_script("--upgrade", ok=False)
    assert ran.status == 1, ran.output
    assert f"rolled back to {NEWER}" in ran.output
    assert _version(deployed.machine) == NEWER
    deployed.wait_until_up()
    assert deployed.has_all_of(accepted)
    deployed.wait_for_all_rows()


def uninstalling_leaves_what_it_says(deployed: Deployment) -> None:
    """Data stay unless told otherwise; in the end nothing is there."""
    booted = deployed.machine
    kept = deployed.agent_script("--uninstall --role signer")
    assert "kept: /etc/bes/signer /var/lib/bes/signer" in kept.output
    booted.run("test -f /var/lib/bes/signer/agent.sqlite")
    assert booted.is_active("bes-agent@site")
    deployed.agent_script("--uninstall --role signer --purge-data")
    deployed.agent_script("--uninstall --role site --purge-data")
    assert booted.is_active(CONTROLLER)
    controller = f"{deployed.bundle}/provisioning/install/install-controller.sh"
    booted.run(f"{controller} --uninstall --purge-data")
    left = booted.run(
        "find /etc /opt /var/lib /usr/local /run/systemd/system -xdev -name '*bes*' "
        "-not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*'; getent passwd bes",
        ok=False,
    ).output
    assert left == "", left
    assert "bes" not in booted.run("systemctl list-unit-files 'bes*' --no-legend", ok=False).output


def _version(booted: Machine) -> str:
    return booted.run("basename $(readlink /opt/bes/current)").output.strip()


STEPS = (
    telemetry_is_committed,
    installing_again_changes_nothing,
    refused_clients_are_told,
    upkeep_runs,
    other_instances_files_are_out_of_reach,
    what_is_killed_comes_back,
    what_hangs_is_restarted,
    a_reboot_brings_all_back,
    an_upgrade_keeps_data,
    a_broken_version_is_rolled_back,
    uninstalling_leaves_what_it_says,
)
