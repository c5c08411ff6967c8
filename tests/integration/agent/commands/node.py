"""A node with a real database and pretended devices, that can be cut off and started again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.clock import Clock
from agent.commands.executor import Outcome
from agent.commands.judge import Moment
from agent.commands.policy import Address, CommandPolicy
from agent.commands.runner import Commands
from agent.database import Database, DatabaseOptions
from agent.recorder import Identity, Recorder
from shared.messages.actions import Action
from shared.messages.command import Command
from shared.messages.event import Event, EventKind
from shared.messages.reply import Reply, ReplyState
from tests.unit.agent.commands.orders import KEYS, NODE, NOW_MS

OPTIONS = DatabaseOptions(reserve_bytes=64 * 1024)


@dataclass
class World(Clock):
    """Devices and time; it outlives the agent. Each command that touches a device is noted."""

    time_ms: int = NOW_MS
    clock_trusted: bool = True
    touched: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    outcome: Outcome = field(default_factory=lambda: Outcome(ReplyState.DONE))
    error: Exception | None = None
    begun: list[tuple[str, Moment]] = field(default_factory=list)
    """Each beginning of a command, with its moment."""
    steps: asyncio.Semaphore | None = None
    """Where set, each step of a role waits for it."""

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_s(self) -> float:
        return self.time_ms / 1000

    def moment(self) -> Moment:
        return Moment(self.time_ms, self.clock_trusted)


class PretendedRole:
    """Touches the devices of a world, and reads back whether they were touched already."""

    def __init__(self, world: World) -> None:
        self._world = world

    def why_not(self, command: Command) -> str | None:
        device = str(command.action.to_params()["device"])
        return f"{device} is locked out" if device in self._world.locked else None

    async def carry_out(self, command_id: str, action: Action) -> Outcome:
        del action
        self._begin(command_id)
        return await self._touch(command_id)

    async def recover(self, command_id: str, action: Action) -> Outcome:
        del action
        self._begin(command_id)
        self._world.recovered.append(command_id)
        await self._pause()
        if command_id in self._world.touched:
            return self._world.outcome
        return await self._touch(command_id)

    async def _touch(self, command_id: str) -> Outcome:
        await self._pause()
        if self._world.error is not None:
            raise self._world.error
        self._world.touched.append(command_id)
        await self._pause()
        return self._world.outcome

    def _begin(self, command_id: str) -> None:
        self._world.begun.append((command_id, self._world.moment()))

    async def _pause(self) -> None:
        if self._world.steps is not None:
            await self._world.steps.acquire()


@dataclass
class Node:
    """One life of the agent."""

    database: Database
    commands: Commands
    world: World

    @property
    def stream(self) -> int:
        return self.database.streams["event"]

    async def settled(self) -> None:
        """Everything that was queued for the writer is committed and told."""
        for _ in range(3):
            await self.database.write(lambda _conn: None)
            await asyncio.sleep(0)

    async def cut_off(self) -> None:
        """Ends this life in the middle of whatever it does."""
        await self.commands.close(grace_s=0)
        await self.database.close()

    async def events(self) -> list[Event]:
        rows = await self.database.read(_bodies)
        return [Event.decode(body) for body in rows]

    async def replies(self) -> list[Reply]:
        events = await self.events()
        return [Reply.from_data(e.data) for e in events if e.kind is EventKind.REPLY]

    async def told(self, what: str) -> list[Event]:
        return [event for event in await self.events() if event.data.get("what") == what]


def _bodies(conn: sqlite3.Connection) -> list[bytes]:
    return [body for (body,) in conn.execute("SELECT body FROM event ORDER BY seq")]


async def begin(folder: Path, world: World, policy: CommandPolicy | None = None) -> Node:
    """Starts a life on the database in `folder`; open commands are not resumed yet."""
    database = await Database.open(folder / "agent.sqlite", OPTIONS)
    recorder = await Recorder.open(database, world, Identity(NODE, "boot", "test"))
    commands = Commands(
        Address(NODE, database.streams["event"]),
        database,
        recorder,
        PretendedRole(world),
        world.moment,
        CommandPolicy(KEYS) if policy is None else policy,
    )
    return Node(database, commands, world)


async def at_once() -> None:
    """A role that is ready."""


@asynccontextmanager
async def running(
    folder: Path, world: World, policy: CommandPolicy | None = None
) -> AsyncIterator[Node]:
    """A life that resumed what was open and ends in order, within a deadline."""
    async with asyncio.timeout(120):
        node = await begin(folder, world, policy)
        try:
            await node.commands.resume(at_once)
            yield node
        finally:
            await node.cut_off()
