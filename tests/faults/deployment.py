"""A whole deployment of real processes, and how each accident happens to it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from provisioning import single_node
from tests.brokers import free_port
from tests.disks import SmallDisk
from tests.faults.accidents import Accident, AccidentKind
from tests.faults.link import EventLoopThread, Link
from tests.faults.machines import Machines

NODE = "site-a-01"
ATTACKER = "controller-2"
PATIENCE_S = 90.0
_LIBFAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
_PROGRAMS = Path(sys.executable).parent


class Deployment:
    """Broker, controller and agent as processes; a link, a disk and a clock that can fail."""

    def __init__(self, folder: Path, database_url: str, disk: SmallDisk) -> None:
        self.folder = folder
        self.disk = disk
        self.database_url = database_url
        self._clock_file = folder / "faketime"
        self._clock_file.write_text("+0")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._loop = EventLoopThread()
        self.machines = Machines(self._loop, folder)
        broker_port, self.http_port = free_port(), free_port()
        self.link = Link(self._loop, broker_port)
        self.broker_port = broker_port
        self.files = single_node.write(self._plan())
        self._starts: dict[str, Callable[[], None]] = {
            "broker": self._start_broker,
            "controller": self._start_controller,
            "agent": self._start_agent,
        }

    def __enter__(self) -> Self:
        try:
            for name in self._starts:
                self.start(name)
            self._wait_until_born()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._end()

    def start(self, name: str) -> None:
        """Starts one of "broker", "controller", "agent"."""
        self._starts[name]()

    def kill(self, name: str) -> None:
        """SIGKILL, and nothing of it is left."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    def end_agent(self) -> None:
        """Ends the agent in good order."""
        process = self._processes.pop("agent")
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)

    def cause(self, accident: Accident) -> None:
        """Makes the accident happen."""
        match accident.kind:
            case AccidentKind.AGENT_KILLED:
                self.kill("agent")
            case AccidentKind.BROKER_KILLED:
                self.kill("broker")
            case AccidentKind.CONTROLLER_KILLED:
                self.kill("controller")
            case AccidentKind.BROKER_WIPED:
                self.kill("broker")
                (self.files.broker_folder / "mosquitto.db").unlink(missing_ok=True)
            case AccidentKind.LINK_CUT:
                self.link.cut()
            case AccidentKind.LINK_SILENT:
                self.link.silence()
            case AccidentKind.DISK_FULL:
                self.disk.fill()
            case AccidentKind.CLOCK_JUMPED:
                self._clock_file.write_text(f"{accident.jump_s:+d}")

    def mend(self, accident: Accident) -> None:
        """Ends the accident; a process that another accident has killed is started once."""
        match accident.kind:
            case AccidentKind.AGENT_KILLED:
                self._start_again("agent")
            case AccidentKind.BROKER_KILLED | AccidentKind.BROKER_WIPED:
                self._start_again("broker")
            case AccidentKind.CONTROLLER_KILLED:
                self._start_again("controller")
            case AccidentKind.LINK_CUT | AccidentKind.LINK_SILENT:
                self.link.mend()
            case AccidentKind.DISK_FULL:
                self.disk.free()
            case AccidentKind.CLOCK_JUMPED:
                self._clock_file.write_text("+0")

    def order(self, device: str, power_w: int, key: str) -> dict[str, Any] | None:
        """Gives a command over REST; None when the controller does not answer."""
        body = {
            "node": NODE,
            "action": {
                "name": "setpoint",
                "device": device,
                "setpoint": {"kind": "power_limit", "power_w": power_w},
            },
            "lifetime_ms": 60_000,
        }
        try:
            answer = httpx2.post(
                f"http://127.0.0.1:{self.http_port}/api/v1/commands",
                json=body,
                headers={"Authorization": f"Bearer {self.files.token}", "Idempotency-Key": key},
                timeout=10,
            )
        except httpx2.TransportError:
            return None
        answered: dict[str, Any] = answer.json()
        return answered if answer.status_code == 201 else None

    def logs(self) -> str:
        """The end of every process's log, for a failed run."""
        return "\n".join(
            f"--- {name}\n" + path.read_text(errors="replace")[-4_000:]
            for name in self._starts
            if (path := self._log(name)).exists()
        )

    @property
    def agent_database(self) -> Path:
        """The agent's SQLite file."""
        return self.disk.folder / "agent.sqlite"

    def _end(self) -> None:
        for name in reversed(self._starts):
            self.kill(name)
        self.machines.stop()
        self._loop.close()

    def _plan(self) -> single_node.SingleNode:
        return single_node.SingleNode(
            folder=self.folder,
            node=NODE,
            site="site-a",
            site_name="Site A",
            broker_port=self.broker_port,
            http_port=self.http_port,
            database_url=self.database_url,
            devices=self.machines.devices(),
            agent={
                "collect": {"interval_s": 0.2, "deadline_s": 2.0},
                "buffer": {"resend_after_s": 2.0},
                "status": {"port": free_port()},
            },
            controller={"commands": {"resend_after_s": 1.0}},
            agent_data=self.disk.folder,
            broker_port_for_agent=self.link.port,
            certificates_last=timedelta(days=30),
            replicas=(ATTACKER,),
        )

    def _start_again(self, name: str) -> None:
        if name not in self._processes:
            self.start(name)

    def _start_broker(self) -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._run("broker", [program, "-c", str(self.files.broker_config)])

    def _start_controller(self) -> None:
        config = str(self.files.controller_config)
        self._run("controller", [str(_PROGRAMS / "bes"), "controller", "run", "--config", config])

    def _start_agent(self) -> None:
        config = str(self.files.agent_config)
        clock = {
            "LD_PRELOAD": _LIBFAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(self._clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self._run("agent", [str(_PROGRAMS / "bes"), "agent", "run", "--config", config], clock)

    def _run(
        self, name: str, command: Sequence[str], environment: dict[str, str] | None = None
    ) -> None:
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _wait_until_born(self) -> None:
        """Until the controller knows the agent's streams: before that no command can be given."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._born():
                install_witness(self.agent_database)
                return
            time.sleep(0.1)
        raise TimeoutError(f"the deployment did not come up\n{self.logs()}")

    def _born(self) -> bool:
        try:
            answer = httpx2.get(
                f"http://127.0.0.1:{self.http_port}/api/v1/nodes/{NODE}",
                headers={"Authorization": f"Bearer {self.files.token}"},
                timeout=5,
            )
        except httpx2.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["event_stream"] is not None


def install_witness(database: Path) -> None:
    """From now on every accepted row leaves a copy beside the buffer, in the same transaction."""
    with closing(sqlite3.connect(database, timeout=30)) as conn:
        conn.executescript(
            """
            CREATE TABLE witness (stream TEXT, seq INTEGER, time_ms INTEGER, body BLOB);
            CREATE TRIGGER witness_telemetry AFTER INSERT ON telemetry BEGIN
              INSERT INTO witness VALUES ('telemetry', new.seq, new.time_ms, new.body); END;
            CREATE TRIGGER witness_event AFTER INSERT ON event BEGIN
              INSERT INTO witness VALUES ('event', new.seq, new.time_ms, new.body); END;
            """
        )
