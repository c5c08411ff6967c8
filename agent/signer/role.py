"""Composes role "signer" and offers it to the runtime (see `agent.role.Role`)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from agent.clock import Clock
from agent.commands.executor import Outcome
from agent.database import StorageError
from agent.recorder import DeviceDescription, Recorder
from agent.role import DeviceStatus, RoleStatus
from agent.signer.health import health_values
from agent.supervisor import TaskSpec
from shared.messages.actions import Action
from shared.messages.command import Command
from shared.messages.reply import ReplyState

HOST_DEVICE = "signer"
"""The name under which the host is reported."""
EVERY_S = 10.0
NO_KEYS = "this signer holds no keys: it carries out no command"

log = structlog.get_logger(__name__)


class RefuseAll:
    """The executor of a signer without keys."""

    def why_not(self, command: Command) -> str | None:
        """See `Executor`: never."""
        return f"{NO_KEYS}, so not {command.action.name} either"

    async def carry_out(self, command_id: str, action: Action) -> Outcome:
        """See `Executor`; nothing is done."""
        return Outcome(ReplyState.REFUSED, "no_keys", f"{NO_KEYS}: {command_id} {action.name}")

    async def recover(self, command_id: str, action: Action) -> Outcome:
        """See `Executor`; nothing can have been done."""
        return await self.carry_out(command_id, action)


class SignerRole:
    """Health, and a refusal for everything else."""

    def __init__(self, data_dir: Path, recorder: Recorder, clock: Clock) -> None:
        self._data_dir = data_dir
        self._recorder = recorder
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._reported_ms: int | None = None
        self.executor = RefuseAll()
        self.registry = CollectorRegistry()

    def tasks(self) -> Sequence[TaskSpec]:
        """See `Role`."""
        return (TaskSpec("health", self._report),)

    async def ready(self) -> None:
        """At once: no device has to be read before a command can be refused."""

    async def make_safe(self) -> None:
        """There is nothing that a stopped signer leaves unsafe: it holds nothing open."""

    async def close(self) -> None:
        """Nothing is held."""

    def status(self) -> RoleStatus:
        """See `Role`."""
        host = DeviceStatus(HOST_DEVICE, "host", "running", self._reported_ms)
        return RoleStatus(devices=(host,), facts=(("commands", NO_KEYS),))

    async def _report(self) -> None:
        while True:
            now_ms = self._clock.now_ms()
            values = health_values(self._data_dir, self._clock.monotonic_s() - self._started_s)
            try:
                if await self._recorder.snapshot(HOST_DEVICE, now_ms, values):
                    self._reported_ms = now_ms
            except StorageError as error:
                log.warning("the host's health was not recorded", error=str(error))
            await asyncio.sleep(EVERY_S)


async def build_signer(data_dir: Path, recorder: Recorder, clock: Clock) -> SignerRole:
    """The role, its host declared; nothing runs yet."""
    await recorder.declare([DeviceDescription(HOST_DEVICE, "host", "signer", {})])
    return SignerRole(data_dir, recorder, clock)
