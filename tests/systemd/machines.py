"""Real machines for the tests: a Debian in a folder, booted by systemd-nspawn.

The base system is made once by debootstrap from the mirror that this host's own apt uses, and kept
in `BES_SYSTEMD_CACHE` (by default in the user's cache folder); each machine is a copy of it.
Nothing is registered with the host's systemd, for there may be none: commands enter by nsenter(1).
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "ca-certificates",
    "dbus",
    "logrotate",
    "mosquitto",
    "openssl",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
)
BOOT_PATIENCE_S = 120.0
STOP_PATIENCE_S = 60.0
COMMAND_PATIENCE_S = 240.0
_REBOOT_WANTED = 133
"""systemd-nspawn(1), --keep-unit: the exit status of a container that wants to be started again."""


class MachineError(AssertionError):
    """A machine did not do what a test needs of it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command's exit status and what it printed, both streams as one."""

    status: int
    output: str


def cache_folder() -> Path:
    """Where base systems and wheels are kept between runs."""
    given = os.environ.get("BES_SYSTEMD_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bes" / "systemd"
    folder = Path(given) if given else usual
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mirror() -> str:
    """The Debian mirror of this host's apt configuration."""
    sources = Path("/etc/apt")
    for file in sorted(sources.glob("sources.list.d/*.sources")):
        found = re.search(r"^URIs:\s*(\S+/debian)/?\s*$", file.read_text(), re.MULTILINE)
        if found:
            return found[1]
    for file in [sources / "sources.list", *sorted(sources.glob("sources.list.d/*.list"))]:
        text = file.read_text() if file.exists() else ""
        found = re.search(r"^deb\s+(?:\[[^]]*]\s+)?(\S+/debian)/?\s", text, re.MULTILINE)
        if found:
            return found[1]
    raise MachineError("no Debian mirror in /etc/apt")


def base_system(suite: str) -> Path:
    """The folder of a base system; made when it is not there yet."""
    made_of = hashlib.sha256(" ".join((suite, *PACKAGES)).encode()).hexdigest()[:12]
    folder = cache_folder() / f"{suite}-{made_of}"
    with (cache_folder() / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_name(f"{folder.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            # In a mount namespace of its own, so that a run that is cut off leaves nothing mounted.
            command = ("unshare", "--mount", "debootstrap", "--variant=minbase")
            packages = f"--include={','.join(PACKAGES)}"
            log = cache_folder() / f"{suite}.log"
            with log.open("wb") as out:
                ended = subprocess.run(
                    (*command, packages, suite, str(making), mirror()),
                    check=False,
                    stdout=out,
                    stderr=out,
                )
            if ended.returncode != 0:
                raise MachineError(f"debootstrap failed:\n{log.read_text()[-3000:]}")
            making.rename(folder)
    return folder


class Machine:
    """One booted Debian. `root` is its file system, seen from outside."""

    def __init__(self, root: Path, name: str, shared: Mapping[Path, str]) -> None:
        self.root = root
        self.name = name
        self._shared = shared
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def boot(self) -> None:
        """Starts it and returns once its systemd has started all it wants to."""
        command = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
            "--link-journal=no", "--console=pipe", f"--machine={self.name}", "-D", str(self.root),
        ]  # fmt: skip
        command += [f"--bind-ro={outside}:{inside}" for outside, inside in self._shared.items()]
        with (self.root.parent / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                [*command, "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.wait_for(self._has_leader, "the container's first process", BOOT_PATIENCE_S)
        self.wait_for(self._is_up, "the end of its boot", BOOT_PATIENCE_S)

    def reboot(self) -> None:
        """Reboots it as an operator would."""
        process = self._running()
        self.run("systemctl --no-block reboot")
        self.wait_for(lambda: process.poll() is not None, "its end", STOP_PATIENCE_S)
        if process.returncode != _REBOOT_WANTED:
            raise MachineError(f"it ended with {process.returncode} instead of a reboot")
        self.boot()

    def stop(self) -> None:
        """Powers it off; kills it when it does not end."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_PATIENCE_S)

    def run(
        self,
        command: str,
        stdin: str = "",
        patience_s: float = COMMAND_PATIENCE_S,
        *,
        ok: bool = True,
    ) -> Ran:
        """Runs a shell command inside as root; with `ok` it must succeed."""
        enter = ("nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--")
        environment = {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }
        ended = subprocess.run(
            (*enter, "/bin/bash", "-c", command),
            check=False,
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=patience_s,
            env=environment,
        )
        ran = Ran(ended.returncode, ended.stdout.decode(errors="replace"))
        if ok and ran.status != 0:
            raise MachineError(f"{command}: exit status {ran.status}\n{ran.output[-6000:]}")
        return ran

    def show(self, unit: str, field: str) -> str:
        """One property of a unit."""
        return self.run(f"systemctl show --value -p {field} {unit}").output.strip()

    def main_pid(self, unit: str) -> int:
        """A unit's main process, by the machine's own numbers; 0 when it has none."""
        return int(self.show(unit, "MainPID") or 0)

    def is_active(self, unit: str) -> bool:
        """Whether a unit runs and has said that it is ready."""
        return self.show(unit, "ActiveState") == "active"

    def wait_for(self, condition: Callable[[], bool], what: str, patience_s: float = 60.0) -> None:
        """Returns once the condition holds."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise MachineError(f"{self.name}: waited {patience_s} s for {what}")
            time.sleep(0.25)

    def journal(self) -> str:
        """The end of its journal and console, for a test that failed."""
        console = (self.root.parent / "console.log").read_text(errors="replace")
        process = self._process
        if process is None or process.poll() is not None:
            return console[-4000:]
        said = self.run("journalctl --no-pager -n 250 -o short-iso", ok=False)
        failed = self.run("systemctl --no-pager list-units --failed", ok=False)
        return f"{failed.output}\n{said.output}\n--- console\n{console[-2000:]}"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MachineError(f"{self.name} does not run")
        return self._process

    def _has_leader(self) -> bool:
        process = self._running()
        if process.poll() is not None:
            raise MachineError(f"systemd-nspawn ended with {process.returncode}\n{self.journal()}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            comm = Path(f"/proc/{child}/comm")
            if comm.exists() and comm.read_text().strip() == "systemd":
                self._leader = int(child)
                return True
        return False

    def _is_up(self) -> bool:
        state = self.run("systemctl is-system-running", ok=False).output.strip()
        return state.endswith(("running", "degraded"))


@contextmanager
def machine(suite: str, folder: Path, shared: Mapping[Path, str]) -> Iterator[Machine]:
    """A machine that was booted, and is gone afterwards. `shared` is mounted read-only inside."""
    root = folder / "root"
    subprocess.run(("cp", "-a", "--reflink=auto", str(base_system(suite)), str(root)), check=True)
    name = f"bes-{suite}-{os.getpid()}"
    (root / "etc" / "hostname").write_text(f"{name}\n")
    (root / "etc" / "machine-id").unlink(missing_ok=True)
    # There is loopback and nothing else: whoever waits for a network would wait in vain.
    masked = root / "etc" / "systemd" / "system" / "systemd-networkd-wait-online.service"
    masked.unlink(missing_ok=True)
    masked.symlink_to("/dev/null")
    (root / "var" / "log" / "journal").mkdir(parents=True, exist_ok=True)
    booted = Machine(root, name, shared)
    try:
        try:
            booted.boot()
        except MachineError as error:
            raise MachineError(f"{error}\n{booted.journal()}") from error
        yield booted
    finally:
        booted.stop()
        shutil.rmtree(root, ignore_errors=True)
