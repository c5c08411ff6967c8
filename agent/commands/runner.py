"""The commands of one node, from message to answer.

    message -> proven? -> [judge; entry, marks and `accepted` in one transaction] -> device's lane
    lane    -> [judge again; `acting`] -> carry out -> [ending and its answer in one transaction]

The accident this prevents is a command that acts twice. A command acts only on its way from
`accepted` to `acting` (once, by compare-and-set), or in `recover` after a crash, where the role
reads the device back before it writes. A crash between two transactions leaves the entry in the
state that tells which of the two it is.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from agent.commands import journal
from agent.commands.admission import Admission
from agent.commands.executor import Executor
from agent.commands.judge import Decline, Moment, Problem
from agent.commands.lanes import Lanes
from agent.commands.lifecycle import CommandState
from agent.commands.performance import Performance
from agent.commands.policy import Address, CommandPolicy, CommandStats
from agent.database import Database
from agent.recorder import Recorder
from shared.errors import BadInputError
from shared.host.tracing import SpanKind, command_place, span
from shared.messages.command import Command, prove
from shared.messages.reply import Reply, ReplyState

Ready = Callable[[], Awaitable[None]]


class Commands:
    """Takes messages, performs commands. Use from one event loop only."""

    def __init__(
        self,
        address: Address,
        database: Database,
        recorder: Recorder,
        executor: Executor,
        moment: Callable[[], Moment],
        policy: CommandPolicy,
    ) -> None:
        """`moment` gives the business time and whether the clock can be trusted."""
        self._database = database
        self._moment = moment
        self._policy = policy
        self._admission = Admission(address, database, recorder, executor, moment, policy)
        self._performance = Performance(
            address, database, recorder, executor, moment, self._admission.stats
        )
        self._lanes = Lanes()
        self._receiving: set[asyncio.Task[None]] = set()

    @property
    def stats(self) -> CommandStats:
        """Counts since the start."""
        return self._admission.stats

    @property
    def crashes(self) -> int:
        """Commands left open by an error of this software; the next start takes them up."""
        return self._lanes.crashes

    async def receive(self, message: bytes) -> None:
        """Takes one message of the command channel; returns once it is judged and answered.

        A caller that is cancelled meanwhile leaves nothing half done. Raises `StorageFullError`
        when the message could not be written down; nothing was accepted then.
        """
        receiving = asyncio.create_task(self._receive(message))
        self._receiving.add(receiving)
        receiving.add_done_callback(self._receiving.discard)
        await asyncio.shield(receiving)

    async def resume(self, ready: Ready) -> int:
        """Takes up the commands that the last life of the agent left open; how many. Call it once,
        before `receive`. They wait for `ready`, so that the role has readings to judge them by."""
        entries = await self._database.read(journal.open_entries)
        for entry in entries:
            found = self._reread(entry)
            if isinstance(found, Command):
                self._line_up(found, entry.state, ready)
            else:
                await self._performance.give_up(entry, found)
        return len(entries)

    async def keep_house(self) -> int:
        """Forgets ended commands beyond what the policy keeps (how many is returned), and tells of
        unproven messages that were not told of yet."""
        await self._admission.tell_unproven()
        moment = self._moment()
        if not moment.clock_trusted:
            return 0
        policy = self._policy
        now_ms = moment.time_ms - moment.tolerance_ms
        return await self._database.write(
            lambda conn: journal.prune(conn, now_ms, policy.keep_ms, policy.most_kept // 2)
        )

    async def newest(self, most: int) -> tuple[tuple[int, Reply], ...]:
        """The newest answers as (time in ms, reply), newest first."""
        return await self._database.read(lambda conn: journal.last_replies(conn, most))

    async def idle(self) -> None:
        """Returns once no admitted command is waiting or acting."""
        await self._lanes.idle()

    async def close(self, grace_s: float) -> None:
        """Refuses further commands, begins none that waits, gives those that act `grace_s`, then
        cuts them off; what is still open is taken up at the next start."""
        self._admission.closing = True
        await self._lanes.close(grace_s)
        if self._receiving:
            await asyncio.wait(set(self._receiving), timeout=grace_s)

    async def _receive(self, message: bytes) -> None:
        with span("judge command", SpanKind.CONSUMER):
            command = await self._admission.admit(message)
        if command is not None:
            self._line_up(command, CommandState.ACCEPTED)

    def _line_up(self, command: Command, state: CommandState, ready: Ready | None = None) -> None:
        async def job() -> None:
            if ready is not None:
                await ready()
            with (
                span("carry out command", SpanKind.CONSUMER, within=command_place(command.id)),
                structlog.contextvars.bound_contextvars(command=command.id),
            ):
                await self._performance.perform(command, state)

        self._lanes.submit(journal.device_of(command), job)

    def _reread(self, entry: journal.Entry) -> Command | Decline:
        try:
            return Command.decode(prove(entry.message, self._policy.keys))
        except BadInputError as error:
            text = f"written down by an earlier life of the agent, not proven now: {error}"
            return Decline(ReplyState.REFUSED, Problem.KEY_WITHDRAWN, text)
