"""Runs the plan of sending over one connection after another."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from agent.buffer import rows
from agent.buffer.births import Identity
from agent.clock import Clock
from agent.clock_sync import read_clock_sync
from agent.database import Database, StorageError
from agent.uplink import plan as planning
from agent.uplink.backoff import reconnect_after_s
from agent.uplink.deleter import Deleter
from agent.uplink.happenings import (
    Accepted,
    Connected,
    Delete,
    Disconnected,
    Found,
    GiveUpLink,
    Happening,
    Read,
    Tick,
)
from agent.uplink.link import BrokerAddress, Link, LinkError
from agent.uplink.session import Session
from agent.uplink.state import PlanSettings, Stream, new_plan, outstanding
from shared.messages.state import State
from shared.messages.topics import Channel

__all__ = ["Uplink", "UplinkSettings", "UplinkStatus"]

log = structlog.get_logger(__name__)

_STEADY_AFTER_S = 30.0
_LONGEST_NAP_S = 5.0
_FLUSH_S = 5.0


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Whom to talk to, as whom, and the plan's bounds."""

    broker: BrokerAddress
    identity: Identity
    plan: PlanSettings = field(default_factory=PlanSettings)


@dataclass(frozen=True, slots=True)
class UplinkStatus:
    """For the status page. Numbers of rows by stream; `problem` is "" while connected."""

    connected: bool
    problem: str
    connections: int
    outstanding: Mapping[str, int]
    in_flight: int
    deleted: int
    last_ack_ms: int | None
    births_sent_again: int


class Uplink:
    """See the module. Belongs to the database's event loop."""

    def __init__(self, database: Database, clock: Clock, settings: UplinkSettings) -> None:
        self.on_command: Callable[[bytes], Awaitable[None]] | None = None
        """Gets each command's payload, one after another; the broker may send the next after it."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self._deleter = Deleter(database)
        self.nothing_to_delete = self._deleter.idle
        """Set while every acked row is deleted."""
        # Together, so that no commit falls between the numbers and the listening for more.
        self._plan = new_plan(database.streams, database.last_seqs, settings.plan)
        database.listen(self._on_commit)
        self._woken = asyncio.Event()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._session: Session | None = None
        self._reconnecting = False
        self._problem = "not yet connected"
        self._connections = 0
        self._births_sent_again = 0
        self._last_ack_ms: int | None = None

    @property
    def status(self) -> UplinkStatus:
        """How it is doing."""
        session = self._session
        return UplinkStatus(
            connected=session is not None,
            problem="" if session is not None else self._problem,
            connections=self._connections,
            outstanding={s.value: len(outstanding(self._plan, s)) for s in Stream},
            in_flight=len(self._plan.batches),
            deleted=self._deleter.deleted,
            last_ack_ms=self._last_ack_ms,
            births_sent_again=self._births_sent_again,
        )

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._session is not None

    @property
    def connections(self) -> int:
        """How many connections have been made so far."""
        return self._connections

    async def reconnect(self) -> None:
        """Says goodbye without being offline; the next connection, at once, reads its files anew.

        No failure of the link: it does not lengthen the wait after the next one.
        """
        if self._session is not None:
            self._reconnecting = True
            await self._session.link.close()

    @property
    def nobody_listens(self) -> bool:
        """Whether the broker said of the last batches that nobody gets them."""
        return self._plan.alone_until_s is not None

    async def run(self) -> None:
        """Connects, sends and connects again until `stop`."""
        for stream in Stream:
            kept = await self._database.read(partial(rows.kept, stream=stream))
            self.happened(Found(stream, kept))
        work = (self._connect_for_ever(), self._deleter.run(), self._tick())
        tasks = [asyncio.create_task(part) for part in work]
        try:
            # Only the first ends by itself; if another does, it broke.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._deleter.idle.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self, drain_s: float = 3.0) -> None:
        """Waits up to `drain_s` for what is outstanding to be acked, says goodbye and ends `run`.

        What was not acked stays in the database.
        """
        if self._session is not None and self._outstanding():
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    await self._changed_until(lambda: not self._outstanding())
        self._stopping.set()

    def happened(self, event: Happening) -> None:
        """Lets the plan decide on an event, and does what it wants."""
        now_s = self._clock.monotonic_s()
        self._plan, actions = planning.step(self._plan, event, now_s)
        for action in actions:
            match action:
                case Read() if self._session is not None:
                    self._session.serve(action)
                case Delete(stream, acked):
                    self._last_ack_ms = self._clock.now_ms()
                    self._deleter.add(stream, acked)
                case GiveUpLink() if self._session is not None:
                    self._session.link.abort("nothing was heard for too long")
        self._woken.set()
        self._changed.set()

    def stream_id(self, stream: Stream) -> int:
        """The id of a stream."""
        return self._database.streams[stream]

    def state(self, *, online: bool) -> State:
        """What `state` says now."""
        sync = read_clock_sync()
        return State(
            online=online,
            boot_id=self._settings.identity.boot_id,
            time_ms=self._clock.now_ms(),
            clock_synchronised=sync.synchronised,
            clock_error_ms=sync.error_ms,
        )

    def birth_sent_again(self) -> None:
        """Counts one."""
        self._births_sent_again += 1

    def _outstanding(self) -> bool:
        return any(outstanding(self._plan, stream) for stream in Stream)

    async def _changed_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _on_commit(self, lasts: Mapping[str, int]) -> None:
        self.happened(Accepted(lasts))

    async def _tick(self) -> None:
        """Tells the plan that time has passed, when it asked for it."""
        while True:
            due_s = planning.wake_s(self._plan)
            nap_s = _LONGEST_NAP_S if due_s is None else due_s - self._clock.monotonic_s()
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, min(nap_s, _LONGEST_NAP_S))):
                    await self._woken.wait()
                    continue
            self.happened(Tick())

    async def _connect_for_ever(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began_s = self._clock.monotonic_s()
            try:
                self._problem = await self._one_connection()
            except (LinkError, StorageError) as error:
                self._problem = str(error)
            if self._stopping.is_set():
                return
            if self._reconnecting:
                self._reconnecting = False
                log.info("connects anew, as asked")
                continue
            steady = self._clock.monotonic_s() - began_s > _STEADY_AFTER_S
            failures = 1 if steady else failures + 1
            wait_s = reconnect_after_s(failures, random.random())  # noqa: S311 - spreads load
            log.warning("no link to the broker", problem=self._problem, retry_s=round(wait_s, 1))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()

    async def _one_connection(self) -> str:
        """Connects and works until the link is closed or `stop`; why it ended."""
        will = self.state(online=False).encode()
        node, broker = self._settings.identity.node, self._settings.broker
        link = await self._unless_stopped(Link.connect(node, broker, will))
        if link is None:
            return "stopped"
        self._connections += 1
        session = Session(link, self._database, self, self.on_command)
        try:
            await session.open()
            self._session = session
            log.info("linked to the broker", host=broker.host, port=broker.port)
            self.happened(Connected())
            reason = await session.until_closed(self._stopping)
            if self._stopping.is_set():
                await self._say_goodbye(link)
        finally:
            self._session = None
            self.happened(Disconnected())
            link.abort("done")
        return reason

    async def _unless_stopped(self, connecting: Awaitable[Link]) -> Link | None:
        task = asyncio.ensure_future(connecting)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _say_goodbye(self, link: Link) -> None:
        with suppress(LinkError):
            link.publish(Channel.STATE, self.state(online=False).encode(), retain=True)
            await link.flush(_FLUSH_S)
            await link.close()
