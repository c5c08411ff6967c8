"""What a deployment goes through; the same on every Debian."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.systemd.bundles import ROOT, make_bundle, move_to_index
from tests.systemd.deployment import (
    ACCESS,
    AUTHORITY,
    CONTROLLER,
    CONTROLLER_CONFIG,
    NODES,
    SERVICES,
    SIGNER,
    SITE,
    Deployment,
    certificate_of,
)
from tests.systemd.machines import Machine, machine

NEWER, BROKEN = "900.1.0", "900.2.0"
_BREAKS_THE_AGENT = '\nraise RuntimeError("this version is broken on purpose")\n'
_CHANGES_THE_SCHEMA = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "9000", "HEAD", None, None
def upgrade() -> None:
    op.create_table("of_the_next_version", sa.Column("n", sa.Integer))
"""
_ALWAYS_DUE = f"leaf_days = {60 / 86_400}"
"""With the five minutes that a certificate is backdated, two thirds of this are always over."""
_WATCHDOG_PATIENCE_S = 150.0
_IMPATIENT = "[Service]\nWatchdogSec=10\nTimeoutAbortSec=3\n"
_LISTENERS = (8443, 8883)
_KERNEL_FILES = {"MemoryMax": "memory.max", "TasksMax": "pids.max"}
"""In a unit's control group, where the container has these controllers to itself (cgroup v2)."""
_KNOCK = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
patience_s, *pair = sys.argv[1:]
if pair:
    context.load_cert_chain(*pair)
with context.wrap_socket(socket.create_connection(("127.0.0.1", 8883), 30)) as link:
    link.settimeout(float(patience_s))
    try:
        link.recv(1)
    except ssl.SSLError as error:
        print("refused:", error)
    except TimeoutError:
        print("let in")
"""
_STOLEN = "/root/stolen.pem /root/stolen.key"
_INSTALLERS_WORK = """
me=test use_index=no purge_data=no
. {bundle}/provisioning/install/common.sh
as_user bash -c 'echo $$$$; exec sleep 300' >/root/pid 2>/dev/null &
until [ -s /root/pid ]; do sleep 0.1; done
cat /root/pid
"""


@contextmanager
def deployment(suite: str, folder: Path) -> Iterator[Deployment]:
    """A machine with everything installed; torn down afterwards."""
    bundles = folder / "bundles"
    bundles.mkdir()
    with ThreadPoolExecutor(1) as maker:
        first = maker.submit(make_bundle, bundles, "900.0.0")
        others = maker.submit(_make_others, bundles)
        with machine(suite, folder, {bundles: "/srv/bundles"}) as booted:
            deployed = Deployment(booted, "/srv/bundles/bundle-900.0.0")
            try:
                first.result()
                deployed.set_up(_ALWAYS_DUE)
                others.result()
                yield deployed
            finally:
                (folder / "journal.txt").write_text(booted.journal())
    shutil.rmtree(bundles)


def _make_others(bundles: Path) -> None:
    """A later version, whose wheels lie in an index, and a broken one with another schema."""
    move_to_index(make_bundle(bundles, NEWER))
    versions = Path("controller") / "storage" / "migrations" / "versions"
    head = max(file.name[:4] for file in (ROOT / versions).glob("[0-9]*.py"))
    changes = {
        "agent/runtime/process.py": _BREAKS_THE_AGENT,
        str(versions / "9000_next.py"): _CHANGES_THE_SCHEMA.replace("HEAD", head),
    }
    make_bundle(bundles, BROKEN, changes)


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


def certificates_are_renewed(deployed: Deployment) -> None:
    """The agents' by themselves, the host's own by the timer's service, all of them after a
    rotation of the authority; no row is lost.

    A generation is deleted only when a connection stands that was made with a later one.
    """
    booted, accepted = deployed.machine, deployed.accepted()
    serials = {role: deployed.serial(role) for role in NODES}
    generations = {role: deployed.generations(role) for role in NODES}
    booted.wait_for(
        lambda: not any(deployed.generations(role) & generations[role] for role in NODES),
        "connections with new certificates",
        120.0,
    )
    assert all(deployed.serial(role) != serial for role, serial in serials.items())
    shown = {port: deployed.presented(port) for port in _LISTENERS}
    assert all(shown.values()), shown
    booted.run(f"sed -i '/^leaf_days/d' {CONTROLLER_CONFIG}")
    deployed.rotate()
    booted.wait_for(
        lambda: all(deployed.presented(port) not in {"", old} for port, old in shown.items()),
        "new certificates of broker and controller",
        60.0,
    )
    deployed.wait_until_up()
    deployed.wait_for_rows(accepted)
    booted.run(f"cmp {AUTHORITY}/roots.pem /etc/bes-broker/roots.pem")
    lists = booted.run("grep -c 'BEGIN X509 CRL' /var/lib/bes/crl/nodes.crl").output.strip()
    assert lists == "2"
    # Who asked while the controller was away would ask again after half a minute; a start asks now.
    booted.run(f"systemctl restart {' '.join(SERVICES[1:])}")
    booted.wait_for(lambda: all(map(deployed.is_good_for_a_day, NODES)), "lasting ones", 120.0)
    hosts = ("/etc/bes/controller/certificates/controller.pem", *map(certificate_of, NODES))
    assert all(map(deployed.is_of_the_authority, hosts))
    deployed.wait_for_rows(deployed.accepted())


def limits_are_in_force(deployed: Deployment) -> str:
    """What the units ask for is what systemd set, and the kernel where it has the controllers."""
    enforced = []
    for unit in SERVICES:
        wanted = _shipped_limits(unit)
        for field, value in wanted.items():
            assert deployed.machine.show(unit, field) == value, (unit, field)
        limits = deployed.machine.run(f"cat /proc/{deployed.machine.main_pid(unit)}/limits").output
        assert re.search(rf"(?m)^Max open files +{wanted['LimitNOFILE']} ", limits), limits
        assert re.search(r"(?m)^Max core file size +0 ", limits), limits
        group = deployed.machine.show(unit, "ControlGroup")
        for field, file in _KERNEL_FILES.items():
            path = f"/sys/fs/cgroup{group}/{file}"
            found = deployed.machine.run(f"cat {path} 2>/dev/null", ok=False).output.split()
            assert found in ([], [wanted[field]]), (unit, field, found)
            enforced += [field] * bool(found)
    kept = ", ".join(f for f in _KERNEL_FILES if enforced.count(f) == len(SERVICES))
    none = "by systemd; this container has no memory and pids controller that could enforce them"
    return f"{kept} by the kernel as well" if kept else none


def _shipped_limits(unit: str) -> dict[str, str]:
    """By the unit's files, a drop-in's last; sizes in bytes, times as systemd shows them."""
    files = [ROOT / "systemd" / f"{re.sub('@.*', '@', unit)}.service"]
    files += sorted((ROOT / "systemd" / f"{unit}.service.d").glob("*.conf"))
    text = "\n".join(file.read_text() for file in files)
    found = dict(re.findall(r"(?m)^(MemoryMax|TasksMax|LimitNOFILE|LimitCORE)=(\S+)$", text))
    number, size = found["MemoryMax"][:-1], found["MemoryMax"][-1]
    found["MemoryMax"] = str(int(number) * {"M": 2**20, "G": 2**30}[size])
    assert "WatchdogSec=30\n" in text
    return {**found, "WatchdogUSec": "30s", "OOMPolicy": "stop"}


def refused_clients_are_told(deployed: Deployment) -> None:
    """Somebody without a certificate knocks at the broker: a security event, from its log."""
    assert "refused" in _knock(deployed, 30)
    deployed.machine.wait_for(
        lambda: "certificate_refused" in deployed.security_events(), "the event", 60.0
    )


def a_revoked_node_stays_out(deployed: Deployment) -> None:
    """A copy of its key is worth nothing any more; joined again, the node goes on, no row lost."""
    booted = deployed.machine
    folder = "/var/lib/bes/signer/identity/current"
    booted.run(
        f"cp {folder}/certificate.pem /root/stolen.pem; cp {folder}/key.pem /root/stolen.key"
    )
    assert "let in" in _knock(deployed, 2, _STOLEN)
    booted.run(f"bes node {ACCESS} revoke {NODES['signer']} --reason 'its host was stolen'")
    booted.wait_for(
        lambda: "refused" in _knock(deployed, 2, _STOLEN), "the broker to refuse the thief", 90.0
    )
    booted.run("systemctl stop bes-agent@signer")
    deployed.enrol("signer", "--installed")
    booted.run("systemctl start bes-agent@signer")
    deployed.wait_until_up()
    deployed.wait_for_all_rows()
    assert "refused" in _knock(deployed, 30, _STOLEN)


def _knock(deployed: Deployment, patience_s: int, pair: str = "") -> str:
    knock = f"/opt/bes/current/bin/python -I - {patience_s} {pair}"
    return deployed.machine.run(knock, _KNOCK).output


def upkeep_runs(deployed: Deployment) -> None:
    """The timers' services succeed, and leave a checked copy each."""
    units = [f"bes-agent-upkeep@{role}" for role in NODES]
    broker = "bes-broker-reload bes-broker-log"
    deployed.machine.run(
        f"systemctl start bes-controller-upkeep bes-renew {broker} {' '.join(units)}"
    )
    for folder in ("controller", *NODES):
        copies = deployed.machine.run(f"ls /var/lib/bes/{folder}/backups").output.split()
        assert len(copies) == 1, copies
        assert copies[0].endswith(".sqlite")


def other_instances_files_are_out_of_reach(deployed: Deployment) -> None:
    """A site agent that was taken over cannot read the signer's files, nor any secret of root's;
    nor through other processes of its user, the installers' among them."""
    booted = deployed.machine
    pids = {unit: booted.main_pid(unit) for unit in SERVICES}
    seen = booted.run(f"nsenter -t {pids[SITE]} -m ls /var/lib/bes /etc/bes").output
    assert "site" in seen
    assert "signer" not in seen
    assert "controller" not in seen
    seen = booted.run(f"nsenter -t {pids[CONTROLLER]} -m ls /var/lib/bes /etc/bes").output
    assert "controller" in seen
    assert "site" not in seen
    assert "signer" not in seen
    installers = int(booted.run(_INSTALLERS_WORK.format(bundle=deployed.bundle)).output)
    as_site = f"nsenter -t {pids[SITE]} -m -S $(id -u bes) -G $(id -g bes)"
    booted.run(f"{as_site} ls /proc/{pids[SITE]}/root/var/lib/bes/site")
    for pid in (pids[SIGNER], pids[CONTROLLER], installers):
        for folder in ("signer", "controller"):
            look = f"{as_site} ls /proc/{pid}/root/var/lib/bes/{folder}"
            assert booted.run(look, ok=False).status != 0, look
    booted.run(f"kill {installers}")


def what_is_killed_comes_back(deployed: Deployment) -> None:
    """SIGKILL to each main process at once. What comes back is to be hung next: with a watchdog of
    less patience than the shipped one, which `limits_are_in_force` has seen."""
    for unit in ("bes-controller", "bes-agent@"):
        folder = f"/run/systemd/system/{unit}.service.d"
        deployed.machine.run(f"mkdir -p {folder}; cat > {folder}/impatient.conf", _IMPATIENT)
    deployed.machine.run("systemctl daemon-reload")
    _stopped_by("KILL", deployed, 60.0)


def what_hangs_is_restarted(deployed: Deployment) -> None:
    """SIGSTOP: nothing turns any more, and the watchdog notices."""
    _stopped_by("STOP", deployed, _WATCHDOG_PATIENCE_S)


def _stopped_by(signal: str, deployed: Deployment, patience_s: float) -> None:
    booted, accepted = deployed.machine, deployed.accepted()
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
    deployed.wait_for_rows(accepted)


def a_reboot_brings_all_back(deployed: Deployment) -> None:
    """And no row is lost."""
    accepted = deployed.accepted()
    deployed.machine.reboot()
    deployed.wait_until_up()
    deployed.wait_for_rows(accepted)


def an_upgrade_keeps_data(deployed: Deployment) -> None:
    """Same streams, no row lost, the new version runs: its wheels from an index, its installer
    killed midway and given again."""
    accepted = deployed.accepted()
    newer = Deployment(deployed.machine, f"/srv/bundles/bundle-{NEWER}")
    index = f"env PIP_INDEX_URL=file://{newer.bundle}/index"
    told = deployed.machine.run(
        f"{index} {newer.agent_installer} --upgrade --index & installer=$!\n"
        f"until [[ $(readlink /opt/bes/current) == */{NEWER} ]]; do\n"
        "  kill -0 $installer || exit 1; sleep 0.05\n"
        "done\n"
        "kill -KILL $installer; ! wait $installer"
    )
    assert "upgraded to" not in told.output
    ran = newer.agent_script("--upgrade")
    assert f"an upgrade from 900.0.0 to {NEWER} was cut off while trying" in ran.output
    assert f"upgraded to {NEWER}" in ran.output
    assert _version(deployed.machine) == NEWER
    deployed.wait_until_up()
    deployed.wait_for_rows(accepted)
    deployed.wait_for_all_rows()
    assert "nothing to change" in newer.agent_script("--upgrade").output


def a_broken_version_is_rolled_back(deployed: Deployment) -> None:
    """The version before runs again, with all that was there."""
    accepted = deployed.accepted()
    broken = Deployment(deployed.machine, f"/srv/bundles/bundle-{BROKEN}")
    ran = broken.agent_script("--upgrade", ok=False)
    assert ran.status == 1, ran.output
    assert f"rolled back to {NEWER}" in ran.output
    assert "tried without a network" in ran.output
    assert "put back /var/lib/bes/controller/backups/" in ran.output
    assert _version(deployed.machine) == NEWER
    deployed.wait_until_up()
    deployed.wait_for_rows(accepted)
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
        "find /etc /opt /var/lib /var/log /usr/local /run/systemd/system -xdev -name '*bes*' "
        "-not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*'; "
        "ls -d /run/bes* 2>/dev/null; getent passwd bes",
        ok=False,
    ).output
    assert left == "", left
    assert "bes" not in booted.run("systemctl list-unit-files 'bes*' --no-legend", ok=False).output


def _version(booted: Machine) -> str:
    return booted.run("basename $(readlink /opt/bes/current)").output.strip()


STEPS = (
    telemetry_is_committed,
    certificates_are_renewed,
    limits_are_in_force,
    installing_again_changes_nothing,
    refused_clients_are_told,
    a_revoked_node_stays_out,
    upkeep_runs,
    other_instances_files_are_out_of_reach,
    what_is_killed_comes_back,
    what_hangs_is_restarted,
    a_reboot_brings_all_back,
    an_upgrade_keeps_data,
    a_broken_version_is_rolled_back,
    uninstalling_leaves_what_it_says,
)
