"""What `bes provision broker` writes, a real mosquitto takes; and the controller reads its log."""

import shutil
import subprocess
from copy import copy
from pathlib import Path

from controller.detection.broker_log import BrokerLogReader
from controller.detection.kinds import SecurityKind
from provisioning.authority import Authority, Credentials
from provisioning.cli import main
from tests.attacks.broker.conftest import connect
from tests.brokers import HOST, Broker, free_port, running_broker
from tests.waiting import wait_for


def test_a_real_mosquitto_runs_with_what_was_written(tmp_path: Path) -> None:
    authority, port = Authority("ours"), free_port()
    files = authority.issue(tmp_path, "broker", (HOST,))
    given = {
        "ca": authority.write_certificate(tmp_path / "ca.pem"),
        "certificate": files.certificate_file,
        "key": files.key_file,
        "crl": authority.write_list(tmp_path / "crl.pem"),
        "etc": tmp_path / "etc",
        "data": tmp_path / "data",
        "log": tmp_path / "bes.log",
        "units": tmp_path / "units",
        "logrotate": tmp_path / "logrotate.conf",
        "user": "root",
        "host": HOST,
        "port": port,
    }
    arguments = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    assert main(["broker", *arguments]) == 0
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    log = tmp_path / "bes.log"
    broker = subprocess.Popen([program, "-c", str(tmp_path / "etc" / "mosquitto.conf")])
    try:
        wait_for(lambda: log.exists() and " running" in log.read_text(), "mosquitto")
        old = ["openssl", "s_client", "-tls1_2", "-connect", f"{HOST}:{port}"]
        assert subprocess.run(old, check=False, input=b"", capture_output=True).returncode != 0
        wait_for(lambda: "unsupported protocol" in log.read_text(), "the refusal in the log")
    finally:
        broker.terminate()
        broker.wait(30)
    reader = BrokerLogReader(frozenset())
    findings = [reader.read(line) for line in log.read_text().splitlines()]
    kinds = {found.kind for found in findings if found is not None}
    assert kinds == {SecurityKind.CERTIFICATE_REFUSED}


def test_an_intermediate_that_is_given_up_lets_nobody_in_once_its_list_is_gone(
    tmp_path: Path,
) -> None:
    with running_broker(tmp_path / "broker", guarded=True) as broker:
        lists = broker.folder / "crl.pem"
        successor = copy(broker.authority)
        successor.rotate()  # a chain to the root that the broker knows, by another intermediate
        after = successor.issue(tmp_path, "site-a-01")
        before = broker.credentials("site-b-01")
        assert (_connects(broker, before), _connects(broker, after)) == (True, False)
        successor.write_list(lists)
        broker.reload()
        assert (_connects(broker, before), _connects(broker, after)) == (False, True)


def test_a_root_that_is_taken_from_the_brokers_file_lets_nobody_in_after_the_reload(
    tmp_path: Path,
) -> None:
    with running_broker(tmp_path / "broker", guarded=True) as broker:
        node = broker.credentials("site-a-01")
        assert _connects(broker, node)
        Authority("another").write_certificate(broker.ca_file)
        broker.reload()
        assert not _connects(broker, node)
        broker.authority.write_certificate(broker.ca_file)
        broker.reload()
        assert _connects(broker, node)


def _connects(broker: Broker, credentials: Credentials) -> bool:
    client = connect(broker, credentials, credentials.certificate_file.stem)
    try:
        wait_for(lambda: client.connected.is_set() or client.ended.is_set(), "an answer")
        return client.connected.is_set()
    finally:
        client.close()
