"""What `bes provision broker` writes, a real mosquitto takes; and the controller reads its log."""

import shutil
import subprocess
from pathlib import Path

import pytest

from controller.detection.broker_log import BrokerLogReader
from controller.detection.kinds import SecurityKind
from provisioning.authority import Authority
from provisioning.broker_site import find_plugin
from provisioning.cli import main
from tests.brokers import HOST, free_port
from tests.waiting import wait_for


@pytest.mark.skipif(find_plugin() is None, reason="mosquitto's plug-in is not installed")
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
