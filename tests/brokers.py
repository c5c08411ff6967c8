"""A real mosquitto with TLS 1.3 and client certificates, for tests: start, stop, kill, wipe."""

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from provisioning.authority import Authority, Credentials
from provisioning.broker import BrokerPlan, write_broker_files
from provisioning.broker_site import find_plugin

HOST = "127.0.0.1"
PATIENCE_S = 30.0
CONTROLLER = "controller"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A broker of the product's own configuration in a folder, with a certificate authority.

    `credentials(name)` makes a client's certificate whose CN (and so its client id) is `name`;
    names in `controllers` may read and write the controller's ends of every node's topics. A
    `guarded` one is as `bes provision broker` makes it: it knows a list of revoked certificates,
    can cut a node off, and its log tells of every refusal.
    """

    def __init__(
        self,
        folder: Path,
        controllers: tuple[str, ...] = (CONTROLLER,),
        *,
        guarded: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._authority = Authority("bes tests")
        self.ca_file = self._authority.write_certificate(folder / "ca.pem")
        self._plan = BrokerPlan(
            folder=folder / "broker",
            port=free_port(),
            ca_file=self.ca_file,
            credentials=self._authority.issue(folder, "broker", (HOST, "localhost")),
            controllers=controllers,
            user="root",
        )
        if guarded:
            self._plan = replace(
                self._plan,
                observers=("tap",),
                crl_file=self._authority.write_list(folder / "crl.pem"),
                dynamic_security=find_plugin(),
                watched=True,
            )
        self._issued: dict[str, Credentials] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens; the same across restarts."""
        return self._plan.port

    @property
    def authority(self) -> Authority:
        """Who issued the broker's certificate and its clients'."""
        return self._authority

    def renew(self, *names: str) -> None:
        """Issues the broker's own certificate anew, and those of these clients, over the files.

        Takes what the authority is by now: after a rotation the files hold both roots.
        """
        self._authority.write_certificate(self.ca_file)
        self._authority.issue(self.folder, "broker", (HOST, "localhost"))
        for name in names:
            self._issued[name] = self._authority.issue(self.folder, name)

    def revoke(self, name: str) -> None:
        """Puts a client's certificate on a guarded broker's list, and has it read again."""
        self._authority.revoke(self.credentials(name))
        self._authority.write_list(self.folder / "crl.pem")
        self.reload()

    def reload(self) -> None:
        """SIGHUP: it reads its certificates, lists and access rules again.

        A guarded one's log tells when it does; who connects later is judged by the new files.
        """
        said = self._reloads()
        self._running().send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_S
        while self._plan.watched and self._reloads() == said:
            if time.monotonic() > deadline:
                raise TimeoutError("mosquitto does not reload")
            time.sleep(0.02)

    def _reloads(self) -> int:
        return self.log_file.read_text(errors="replace").count("Reloading config.")

    @property
    def log_file(self) -> Path:
        """What mosquitto said."""
        return self.folder / "mosquitto.log"

    def credentials(self, name: str) -> Credentials:
        """The certificate and key of a client."""
        if name not in self._issued:
            self._issued[name] = self._authority.issue(self.folder, name)
        return self._issued[name]

    def client_context(self, name: str) -> ssl.SSLContext:
        """The TLS context with which a client called `name` connects."""
        credentials = self.credentials(name)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(credentials.certificate_file, credentials.key_file)
        return context

    def start(self) -> None:
        """Starts it and returns once it accepts connections."""
        if self._process is not None:
            raise RuntimeError("the broker runs")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            configuration = write_broker_files(self._plan)
            with self.log_file.open("ab") as log:
                self._process = subprocess.Popen(
                    [program, "-c", str(configuration)], stdout=log, stderr=log
                )
            if self._listens(deadline):
                return
            # It ended: most likely somebody else took the port since it was chosen.
            self._process.wait()
            self._process = None
            self._take_another_port()
        raise TimeoutError(f"mosquitto does not start: {self.log_file.read_text()[-2_000:]}")

    def stop(self) -> None:
        """Ends it in good order; it writes its store."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; what it had not written to its store is gone."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Deletes its store (sessions, retained messages) while it is down."""
        if self._process is not None:
            raise RuntimeError("the broker runs")
        (self._plan.folder / "mosquitto.db").unlink(missing_ok=True)

    def pause(self) -> None:
        """Freezes it: connections stay open and nothing answers, like a link gone silent."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a frozen broker go on."""
        self._running().send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker is down")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        if how is not signal.SIGKILL:
            self._process.send_signal(signal.SIGCONT)
        self._process.wait(PATIENCE_S)
        self._process = None

    def _listens(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return self.is_running
            time.sleep(0.05)
        return False

    def _take_another_port(self) -> None:
        self._plan = replace(self._plan, port=free_port())


@contextlib.contextmanager
def running_broker(
    folder: Path, controllers: tuple[str, ...] = (CONTROLLER,), *, guarded: bool = False
) -> Iterator[Broker]:
    """A broker that runs within the block."""
    broker = Broker(folder, controllers, guarded=guarded)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
