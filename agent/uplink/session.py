"""One connection's work: births and state first, then batches up and acks and commands down."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

import structlog

from agent.buffer import rows
from agent.database import Database, StorageError
from agent.uplink.batches import Loaded, load
from agent.uplink.happenings import Acked, BirthsSent, Happening, Heard, Published, Read, Taken
from agent.uplink.link import Incoming, Link, LinkError
from agent.uplink.state import Stream
from shared.errors import BadInputError
from shared.messages.ack import Ack
from shared.messages.state import State
from shared.messages.topics import Channel
from shared.ranges import RangeSet

log = structlog.get_logger(__name__)

_STATE_EVERY_S = 30.0
_BIRTH_AGAIN_AFTER_S = 2.0
_READ_AGAIN_AFTER_S = 1.0
_MOST_BIRTHS_AT_ONCE = 20
_CHANNELS = {Stream.EVENT: Channel.EVENT, Stream.TELEMETRY: Channel.TELEMETRY}

OnCommand = Callable[[bytes], Awaitable[None]]


class Owner(Protocol):
    """What a session needs of the uplink it works for."""

    def happened(self, event: Happening) -> None:
        """Lets the plan decide on an event."""
        ...

    def stream_id(self, stream: Stream) -> int:
        """The id of a stream."""
        ...

    def state(self, *, online: bool) -> State:
        """What `state` says now."""
        ...

    def birth_sent_again(self) -> None:
        """Counts one."""
        ...


class Session:
    """See the module. Used for one link."""

    def __init__(
        self, link: Link, database: Database, owner: Owner, on_command: OnCommand | None
    ) -> None:
        self.link = link
        self._database = database
        self._owner = owner
        self._on_command = on_command
        self._announced = 0
        self._announcing = asyncio.Lock()
        self._asked_s: dict[int, float] = {}
        self._state: State | None = None
        self._reads: asyncio.Queue[Read] = asyncio.Queue()
        self._commands: asyncio.Queue[Incoming] = asyncio.Queue()
        self._sent: dict[int, int] = {}
        link.on_taken = self._taken

    async def open(self) -> None:
        """Publishes state and birth; raises `LinkError`."""
        self._publish_state()
        await self._announce()

    def serve(self, read: Read) -> None:
        """Queues a read; the plan has one a stream at most."""
        self._reads.put_nowait(read)

    async def until_closed(self, stopping: asyncio.Event) -> str:
        """Works until the link is closed, for the reason returned, or `stopping` is set."""
        workers: list[asyncio.Task[Any]] = [
            asyncio.create_task(work)
            for work in (
                self._send_batches(),
                self._take_incoming(),
                self._take_commands(),
                self._keep_state(),
            )
        ]
        stop = asyncio.create_task(stopping.wait())
        ends: list[asyncio.Future[Any]] = [self.link.closed, stop, *workers]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, *workers):
                task.cancel()
            results = await asyncio.gather(stop, *workers, return_exceptions=True)
        problems = [result for result in results if isinstance(result, Exception)]
        for problem in problems:
            if not isinstance(problem, LinkError):
                raise problem
        if self.link.closed.done():
            return self.link.closed.result()
        return str(problems[0]) if problems else "stopped"

    async def _send_batches(self) -> None:
        while True:
            read = await self._reads.get()
            try:
                loaded = await self._load(read)
                await self._announce_for(loaded)
            except StorageError as error:
                log.warning("a batch could not be read", error=str(error))
                await asyncio.sleep(_READ_AGAIN_AFTER_S)
                loaded = Loaded(None, RangeSet(), 0)
            if loaded.payload is not None:
                mid = self.link.publish(_CHANNELS[read.stream], loaded.payload)
                self._sent[mid] = read.batch
            self._owner.happened(Published(read.batch, loaded.rows, loaded.through, loaded.birth))

    def _taken(self, mid: int, listened: bool) -> None:  # noqa: FBT001 - a callback of the link
        batch = self._sent.pop(mid, None)
        self._owner.happened(Heard() if batch is None else Taken(batch, listened))

    async def _load(self, read: Read) -> Loaded:
        stream_id = self._owner.stream_id(read.stream)
        return await self._database.read(partial(load, stream_id=stream_id, read=read))

    async def _announce_for(self, loaded: Loaded) -> None:
        """The current birth goes out before the first batch that may name it."""
        if loaded.birth is not None and loaded.birth > self._announced:
            await self._announce()

    async def _announce(self) -> None:
        async with self._announcing:
            birth = await self._database.read(rows.current_birth)
            if birth is not None and birth[0] > self._announced:
                self.link.publish(Channel.BIRTH, birth[1], retain=True)
                self._announced = birth[0]

    async def _take_incoming(self) -> None:
        while True:
            message = await self.link.incoming.get()
            if message.channel is Channel.COMMAND:
                self._commands.put_nowait(message)
                continue
            try:
                ack = Ack.decode(message.payload)
            except BadInputError as error:
                log.warning("an ack that cannot be read", error=str(error))
            else:
                self._owner.happened(Acked(tuple((r.stream, r.first, r.last) for r in ack.ranges)))
                await self._send_births(ack.births_wanted)
            self.link.acknowledge(message)

    async def _take_commands(self) -> None:
        """One after another; a message is acknowledged when the command is written down."""
        while True:
            message = await self._commands.get()
            if self._on_command is None:
                log.warning("a command came and nobody takes it")
            else:
                try:
                    await self._on_command(message.payload)
                except StorageError as error:
                    log.warning("a command could not be written down", error=str(error))
            self.link.acknowledge(message)

    async def _send_births(self, wanted: Sequence[int]) -> None:
        """Sends births again; only the current one is retained, for those who come later."""
        now_s = asyncio.get_running_loop().time()
        due = [
            number
            for number in dict.fromkeys(wanted)
            if now_s - self._asked_s.get(number, -_BIRTH_AGAIN_AFTER_S) >= _BIRTH_AGAIN_AFTER_S
        ][:_MOST_BIRTHS_AT_ONCE]
        if not due:
            return
        kept = await self._database.read(partial(rows.births, numbers=due))
        for number, payload in sorted(kept.items()):
            current = number == self._announced
            self.link.publish(Channel.BIRTH, payload, retain=current)
            self._asked_s[number] = now_s
            self._owner.birth_sent_again()
        if missing := set(due) - set(kept):
            log.warning("births were asked for that are not kept", births=sorted(missing))
        self._owner.happened(BirthsSent(frozenset(kept)))

    async def _keep_state(self) -> None:
        """Tells of a clock that gained or lost its synchronisation; of a new birth without rows."""
        while True:
            await asyncio.sleep(_STATE_EVERY_S)
            now, before = self._owner.state(online=True), self._state
            if before is None or now.clock_synchronised != before.clock_synchronised:
                self._publish_state()
            await self._announce()

    def _publish_state(self) -> None:
        self._state = self._owner.state(online=True)
        self.link.publish(Channel.STATE, self._state.encode(), retain=True)
