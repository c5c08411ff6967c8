"""The processes of the demonstration: none outlives it."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_GRACE_S = 15.0


class ChildError(RuntimeError):
    """A child ended that should run; the message ends with the last lines it wrote."""


@dataclass(slots=True)
class Children:
    """Started processes, ended in the reverse order; each writes to a log of its own."""

    log_folder: Path
    running: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts a child; the kernel ends it if this process dies (prctl(2), PR_SET_PDEATHSIG)."""
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run before the last start
            )
        self.running.append((name, child))

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.log_folder / f"{name}.log"

    def check(self) -> None:
        """`ChildError` when one has ended."""
        for name, child in self.running:
            status = child.poll()
            if status is not None:
                lines = self.log(name).read_text(errors="replace").splitlines()[-15:]
                tail = "\n".join(lines)
                raise ChildError(f"{name} ended with status {status}; it last wrote:\n{tail}")

    def stop(self, name: str) -> None:
        """Ends one child and waits for it."""
        for entry in [entry for entry in self.running if entry[0] == name]:
            _end(entry[1])
            self.running.remove(entry)

    def stop_all(self) -> None:
        """Ends them all, the last started first."""
        for name in [name for name, _ in reversed(self.running)]:
            self.stop(name)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    deadline = time.monotonic() + _GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if child.poll() is None:
        child.kill()
    child.wait()
