"""From `bes node new` to telemetry, and renewals under load: real broker, controller and agent."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from sqlalchemy import func, select

from agent.identity.folder import IdentityFolder
from controller.enrolment.cli import main as bes_node
from controller.storage.engine import Storage
from controller.storage.tables import certificates, telemetry
from provisioning.authority import Credentials
from provisioning.broker import BrokerPlan, write_broker_files
from shared.identity.issuing import Issuer, issue_leaf
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem
from shared.identity.requests import LeafRequest
from shared.identity.rotation import cross_certify
from shared.identity.trust import issued_by
from shared.ranges import RangeSet
from tests.brokers import free_port
from tests.enrolments import HOST, CertificateAuthority, new_key
from tests.faults.verdict import Accepted, missing

PATIENCE_S = 90.0
RENEWALS = 3
ALWAYS_DUE_DAYS = 60 / 86_400
"""With the five minutes that a certificate is backdated, two thirds of this are always over."""
_BES = Path(sys.executable).parent / "bes"
_DEVICE = """
[collect]
interval_s = 0.2
deadline_s = 2.0
[[device]]
name = "miner-1"
kind = "miner"
driver = "luxos"
rated_power_w = 3000
rated_hashrate_ths = 150
[device.settings]
host = "127.0.0.1"
port = {port}
deadline_s = 1
[status]
port = 0
"""


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it never came about: {what}"
        time.sleep(0.1)


class Deployment:
    """Files and processes of a company with one host that is fresh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = CertificateAuthority("ours")
        self.ports = {"broker": free_port(), "http": free_port()}
        self.roots = self._file("roots.pem", certificates_pem((self.ca.root,)))
        self._previous: list[dict[str, str]] = []
        self.token_file = self._file("token", b"t" * 40)
        self.crl_file = folder / "crl.pem"
        self.config_dir, self.data_dir = folder / "host" / "etc", folder / "host" / "data"
        self._write_controller()
        self.database = folder / "controller.db"

    @property
    def url(self) -> str:
        """The controller's interface."""
        return f"https://{HOST}:{self.ports['http']}"

    @contextlib.contextmanager
    def told_if_it_fails(self) -> Iterator[None]:
        """Shows the end of every log when the block raises."""
        try:
            yield
        except BaseException:
            sys.stderr.write(self.logs())
            raise

    def rotate(self) -> None:
        """A new root that the old one vouches for, and all certificates under it."""
        old, new, now = self.ca, CertificateAuthority("second"), datetime.now(UTC)
        signer = Issuer(old.root_key, old.root)
        cross = cross_certify(signer, new.root, now, x509.random_serial_number())
        new.intermediate = replace(new.intermediate, cross=(cross,))
        before = certificates_pem(old.intermediate.chain)
        self._previous = [
            {
                "certificate_file": str(self._file("issuer-1.pem", before)),
                "key_file": str(self._file("issuer-1.key", key_pem(old.intermediate.key))),
            }
        ]
        self.roots.write_bytes(certificates_pem((old.root, new.root, cross)))
        self.ca = new
        self._write_controller()

    def node(self, *arguments: str) -> int:
        """`bes node`, as the operator."""
        given = ["--url", self.url, "--token-file", str(self.token_file)]
        return bes_node([*given, "--ca-file", str(self.roots), *arguments])

    @contextlib.contextmanager
    def running(self, name: str, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
        """A process of it; ended in good order."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def controller(self) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
        """`bes controller run`."""
        config = str(self.folder / "controller.toml")
        return self.running(
            "controller", [str(_BES), "controller", "run", "--migrate", "--config", config]
        )

    def broker(self) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
        """mosquitto, with the product's own configuration."""
        plan = BrokerPlan(
            folder=self.folder / "broker",
            port=self.ports["broker"],
            ca_file=self.roots,
            credentials=Credentials(*self.ca.server_files(self.folder)),
            user="root",
            crl_file=self.crl_file,
        )
        return self.running("broker", ["/usr/sbin/mosquitto", "-c", str(write_broker_files(plan))])

    def agent(self) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
        """`bes agent run`."""
        config = str(self.config_dir / "agent.toml")
        return self.running("agent", [str(_BES), "agent", "run", "--config", config])

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-3_000:]}"
            for log in self.folder.glob("*.log")
        )

    def lists(self) -> int:
        """How many revocation lists the broker's file has."""
        return self.crl_file.read_bytes().count(b"BEGIN X509 CRL")

    def count(self, table: Any) -> int:
        """How many rows a table of the controller has."""
        storage = Storage(f"sqlite:///{self.database}")
        try:
            with storage.read() as conn:
                return int(conn.scalar(select(func.count()).select_from(table)) or 0)
        finally:
            storage.close()

    def _file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    def _write_controller(self) -> None:
        key = new_key()
        request = LeafRequest("controller", key.public_key())
        now = datetime.now(UTC)
        leaf = issue_leaf(self.ca.intermediate, request, now, x509.random_serial_number())
        chain = certificates_pem((leaf, *self.ca.intermediate.chain))
        http_chain, http_key = self.ca.server_files(self.folder)
        command_key = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        intermediate = certificates_pem(self.ca.intermediate.chain)
        config = {
            "database": {"url": f"sqlite:///{self.folder / 'controller.db'}"},
            "broker": {
                "host": HOST,
                "port": self.ports["broker"],
                "ca_file": str(self.roots),
                "certificate_file": str(self._file("controller.pem", chain)),
                "key_file": str(self._file("controller.key", key_pem(key))),
            },
            "http": {
                "host": HOST,
                "port": self.ports["http"],
                "token_file": str(self.token_file),
                "token_roles": ["administrator"],
                "certificate_file": str(http_chain),
                "key_file": str(http_key),
            },
            "commands": {"signing_key_file": str(self._file("commands.key", command_key))},
            "enrolment": {
                "issuer_certificate_file": str(self._file("issuer.pem", intermediate)),
                "issuer_key_file": str(self._file("issuer.key", key_pem(self.ca.intermediate.key))),
                "previous": self._previous,
                "root_files": [str(self.roots)],
                "crl_file": str(self.crl_file),
                "leaf_days": ALWAYS_DUE_DAYS,
                "url": self.url,
                "broker_host": HOST,
                "broker_port": self.ports["broker"],
            },
        }
        (self.folder / "controller.toml").write_text(tomli_w.dumps(config), encoding="utf-8")


def on_the_host(deployment: Deployment, printed: str) -> "subprocess.CompletedProcess[bytes]":
    """Runs the printed command as the host's technician would, without sudo, in folders of the
    test's own."""
    places = f"--config-dir {deployment.config_dir} --data-dir {deployment.data_dir}"
    command = printed.strip().replace("sudo bes", str(_BES))
    return subprocess.run(
        ["/bin/sh", "-c", f"{command} {places}"],
        check=False,
        capture_output=True,
        timeout=PATIENCE_S,
        env={**os.environ},
    )


def take_in(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    """A token, the printed command on the host, and a device in its configuration."""
    eventually(deployment.crl_file.exists, "the revocation list")
    capsys.readouterr()
    new = ("new", "site-a-01", "--site", "site-a", "--role", "site", "--installed")
    eventually(lambda: deployment.node(*new) == 0, "a token")
    joined = on_the_host(deployment, capsys.readouterr().out)
    assert joined.returncode == 0, joined.stderr
    with (deployment.config_dir / "agent.toml").open("a") as config:
        config.write(_DEVICE.format(port=free_port()))


def judge(deployment: Deployment) -> None:
    """Every row that the agent accepted is committed once, or waits in its buffer still."""
    database = deployment.data_dir / "agent.sqlite"
    storage = Storage(f"sqlite:///{deployment.database}")
    with (
        contextlib.closing(storage),
        contextlib.closing(sqlite3.connect(database, timeout=30)) as conn,
    ):
        ids = dict(conn.execute("SELECT name, id FROM streams").fetchall())
        last = dict(conn.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        for name in ("telemetry", "event"):
            rows = conn.execute(f"SELECT seq FROM {name}").fetchall()
            buffered = RangeSet.of_numbers(seq for (seq,) in rows)
            stream = Accepted(ids[name], last[name], {}, buffered)
            assert stream.last > 0
            assert not missing(storage, name, stream).difference(buffered)


def generations(identity: IdentityFolder) -> set[str]:
    """The names of the generations that the host keeps."""
    return {item.name for item in (identity.path / "generations").iterdir()}


def under(identity: IdentityFolder, ca: CertificateAuthority) -> bool:
    """Whether the host's certificate is by this authority's intermediate."""
    current = identity.current()
    return current is not None and issued_by(current.leaf, ca.intermediate.certificate)


def test_from_a_printed_command_to_telemetry_and_renewed_under_load_without_a_lost_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(tmp_path)
    with deployment.told_if_it_fails(), deployment.controller():
        take_in(deployment, capsys)
        with deployment.broker():
            with deployment.agent():
                eventually(lambda: deployment.count(telemetry) > 0, "telemetry")
                eventually(lambda: deployment.count(certificates) > RENEWALS, "renewals")
            judge(deployment)
        before = deployment.crl_file.read_bytes()
        assert deployment.node("revoke", "site-a-01", "--reason", "the test is over") == 0
        eventually(lambda: deployment.crl_file.read_bytes() != before, "the next list")


def test_the_root_is_replaced_under_load_without_a_lost_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(tmp_path)
    identity = IdentityFolder(deployment.data_dir / "identity")
    with deployment.told_if_it_fails(), contextlib.ExitStack() as agent:
        with deployment.controller():
            take_in(deployment, capsys)
            with deployment.broker():
                agent.enter_context(deployment.agent())
                eventually(lambda: deployment.count(telemetry) > 0, "telemetry")
        deployment.rotate()
        before = generations(identity)
        rows = deployment.count(telemetry)
        with deployment.controller():
            # A broker that has no list of the new intermediate refuses whom it signed.
            eventually(lambda: deployment.lists() == 2, "the list of the new intermediate")
            with deployment.broker():
                new_root = deployment.ca.root
                eventually(lambda: identity.trust().holds(new_root), "the new root is pinned")
                eventually(lambda: under(identity, deployment.ca), "the new intermediate")
                # Always due, it renews again at once: what counts is which ones went.
                eventually(lambda: not generations(identity) & before, "a new one is proven")
                eventually(lambda: deployment.count(telemetry) > rows, "telemetry")
                agent.close()
        judge(deployment)
