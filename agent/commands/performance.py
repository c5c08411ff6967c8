"""From an admitted command to its end: judged once more, acted once, read back, answered."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from agent.buffer.errors import StorageFullError
from agent.commands import answers, journal
from agent.commands.executor import Executor, Outcome
from agent.commands.judge import Decline, Marks, Moment, Problem, doubt, judge_again, untimely
from agent.commands.lifecycle import CommandEvent, CommandState
from agent.commands.policy import Address, CommandStats
from agent.database import Database
from agent.recorder import Recorder
from shared.messages import cbor
from shared.messages.command import Command
from shared.messages.reply import Reply, ReplyState

STORAGE_RETRY_S = 2.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Performance:
    """Performs admitted commands, each in a task of the caller's."""

    def __init__(
        self,
        address: Address,
        database: Database,
        recorder: Recorder,
        executor: Executor,
        moment: Callable[[], Moment],
        stats: CommandStats,
    ) -> None:
        self._address = address
        self._database = database
        self._recorder = recorder
        self._executor = executor
        self._moment = moment
        self._stats = stats

    async def perform(self, command: Command, state: CommandState) -> None:
        """Takes an open command in the given state to its end."""
        if not await _insist(lambda: self._begin(command, state)):
            return
        outcome = await self._act(command, recover=state is CommandState.ACTING)
        reply = answers.ended(command, outcome)
        device = journal.device_of(command)
        await _insist(lambda: self._end(CommandState.ACTING, reply, device))
        log.info(
            "a command ended",
            command=command.id,
            device=device,
            state=reply.state.value,
            problem=reply.problem,
        )

    async def give_up(self, entry: journal.Entry, decline: Decline) -> None:
        """Ends an entry whose command cannot even be read any more."""
        reply = answers.declined(entry.id, entry.seq, _honest(decline, entry.state))
        await _insist(lambda: self._end(entry.state, reply, ""))

    async def _begin(self, command: Command, state: CommandState) -> bool:
        """Judges the command anew and marks it as acting, or ends it; whether it may act."""
        why_not = self._executor.why_not(command)
        moment = self._moment()

        def decide(conn: sqlite3.Connection) -> Reply | None:
            marks = journal.marks(conn, self._address.stream)
            decline = judge_again(command, marks, moment, why_not)
            if decline is None:
                cut_off = state is CommandState.ACTING
                event = CommandEvent.RESTART if cut_off else CommandEvent.BEGIN
                journal.move(conn, command.id, state, event, moment.time_ms)
                return None
            reply = answers.declined(command.id, command.seq, _honest(decline, state))
            self._end_in(conn, state, reply, journal.device_of(command), moment.time_ms)
            return reply

        ended = await self._database.write(decide)
        if ended is not None:
            self._stats.count_answer(ended)
        return ended is None

    async def _end(self, state: CommandState, reply: Reply, device: str) -> None:
        now_ms = self._moment().time_ms
        await self._database.write(lambda conn: self._end_in(conn, state, reply, device, now_ms))
        self._stats.count_answer(reply)

    def _end_in(
        self,
        conn: sqlite3.Connection,
        state: CommandState,
        reply: Reply,
        device: str,
        now_ms: int,
    ) -> None:
        journal.end(conn, state, reply, now_ms)
        self._recorder.event_in(conn, answers.reply_event(reply, device), now_ms)

    async def _act(self, command: Command, *, recover: bool) -> Outcome:
        """Carries out or recovers. An error of the role leaves the effect in doubt, never open."""
        acting = asyncio.ensure_future(_sendable(self._go(command, recover=recover)))
        try:
            await asyncio.wait({acting})
        finally:
            if not acting.done():
                acting.cancel()
                await asyncio.wait({acting})
        error = None if acting.cancelled() else acting.exception()
        if error is None and not acting.cancelled():
            return acting.result()
        log.error("carrying out a command crashed", command=command.id, exc_info=error)
        text = f"the agent's own error ({type(error).__name__}); look at the device"
        return Outcome(ReplyState.UNVERIFIED, Problem.CRASHED.value, text)

    async def _go(self, command: Command, *, recover: bool) -> Outcome:
        """Acts, unless its time ended or the clock jumped while `acting` was being written down:
        a disk can hold up a commit for longer than a command lives."""
        late = untimely(command, Marks(), self._moment())
        if late is not None:
            decline = doubt(late) if recover else late
            state = ReplyState.UNVERIFIED if recover else ReplyState.REFUSED
            return Outcome(state, decline.problem.value, f"nothing was sent: {decline.text}")
        if recover:
            return await self._executor.recover(command.id, command.action)
        return await self._executor.carry_out(command.id, command.action)


async def _sendable(acting: Awaitable[Outcome]) -> Outcome:
    """The outcome, once it is known that it can be encoded: a reply must never fail to leave."""
    outcome = await acting
    cbor.encode(dict(outcome.readback))
    return outcome


def _honest(decline: Decline, state: CommandState) -> Decline:
    return doubt(decline) if state is CommandState.ACTING else decline


async def _insist(write: Callable[[], Awaitable[T]]) -> T:
    """Writes, however long the storage is full: an admitted command must get its answer."""
    while True:
        try:
            return await write()
        except StorageFullError:
            log.error("storage is full; a command waits for room")  # noqa: TRY400
            await asyncio.sleep(STORAGE_RETRY_S)
