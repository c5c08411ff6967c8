"""Telling systemd how this process fares (sd_notify(3)): ready, alive, stopping.

Without NOTIFY_SOCKET in the environment nothing is sent, so a process runs the same by hand.

A watchdog proves that the event loop turns: `keep_alive` runs as a task of that very loop, and
what it asks before each sign of life must answer from there as well. When nothing is fed for
WatchdogSec, systemd ends the process with SIGABRT and starts it anew.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import structlog

_FEEDS_A_PERIOD = 3
_MOST_STATUS_CHARS = 200
_SEND_WITHIN_S = 1.0
WATCHED_S = 1.0
"""How often health is looked at where no watchdog is asked for."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """What a process says of itself. `stuck` names what must run and does not: while it is not
    None the watchdog is not fed. `status` is a line for people (`systemctl status`)."""

    ready: bool
    status: str
    stuck: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What systemd was told last."""

    ready: bool = False
    status: str = ""
    stuck_since_s: float | None = None


def words(health: Health, told: Told, now_s: float, grace_s: float) -> tuple[Told, tuple[str, ...]]:
    """The assignments to send now, and what is told then. Pure; `now_s` is monotonic.

    Ready is said once. The watchdog is fed while nothing is stuck, and for `grace_s` after
    something began to be, so that a task that crashed can be restarted by its supervisor first.
    """
    since_s = None
    if health.stuck is not None:
        since_s = now_s if told.stuck_since_s is None else told.stuck_since_s
    status = _line(health.status if health.stuck is None else health.stuck)
    said = []
    if health.ready and not told.ready:
        said.append("READY=1")
    if status != told.status:
        said.append(f"STATUS={status}")
    if since_s is None or now_s - since_s < grace_s:
        said.append("WATCHDOG=1")
    return Told(told.ready or health.ready, status, since_s), tuple(said)


def feed_every_s(environment: Mapping[str, str], pid: int) -> float | None:
    """How often the watchdog wants to be fed; None where there is none for this process.

    A third of WATCHDOG_USEC (sd_watchdog_enabled(3) asks for half), so that one late turn of the
    loop is forgiven.
    """
    usec = environment.get("WATCHDOG_USEC", "")
    for_pid = environment.get("WATCHDOG_PID", str(pid))
    if not usec.isdecimal() or int(usec) == 0 or for_pid != str(pid):
        return None
    return int(usec) / 1_000_000 / _FEEDS_A_PERIOD


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_STATUS_CHARS]


class ServiceManager:
    """The socket of NOTIFY_SOCKET; without one everything said is dropped."""

    def __init__(self, address: str | None, every_s: float | None) -> None:
        self._address = address
        self.every_s = every_s

    @classmethod
    def from_environment(cls) -> Self:
        """As systemd set it up for this process."""
        address = os.environ.get("NOTIFY_SOCKET") or None
        return cls(address, feed_every_s(os.environ, os.getpid()))

    @property
    def present(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def say(self, *assignments: str) -> None:
        """Sends them in one datagram. What cannot be sent is logged: a service without its manager
        works on, and a watchdog that hears nothing acts by itself."""
        if self._address is None or not assignments:
            return
        name = self._address
        if name.startswith("@"):
            name = f"\0{name[1:]}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_WITHIN_S)
                sender.connect(name)
                sender.send("\n".join(assignments).encode())
        except OSError as error:
            log.warning("the service manager was not told", what=assignments[0], why=str(error))

    def stopping(self, status: str) -> None:
        """The process begins to end."""
        self.say("STOPPING=1", f"STATUS={_line(status)}")

    async def keep_alive(self, look: Callable[[], Health], grace_s: float) -> None:
        """Tells how the process fares until it is cancelled. `look` must be quick."""
        if not self.present:
            return
        loop = asyncio.get_running_loop()
        told = Told()
        pause_s = WATCHED_S if self.every_s is None else min(WATCHED_S, self.every_s)
        while True:
            told, said = words(look(), told, loop.time(), grace_s)
            self.say(*said)
            await asyncio.sleep(pause_s)
