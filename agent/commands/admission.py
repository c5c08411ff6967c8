"""From a message of the command channel to a verdict that is written down and answered.

Everything that a verdict changes (entry, marks, answer) is one transaction; two copies of a message
that arrive at once meet in the writer, where the second finds what the first wrote.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from agent.commands import answers, journal
from agent.commands.executor import Executor
from agent.commands.judge import (
    Admit,
    Decline,
    Kept,
    Moment,
    Problem,
    Repeat,
    Verdict,
    judge,
    marks_after,
    missed,
)
from agent.commands.policy import Address, CommandPolicy, CommandStats
from agent.commands.rate import Allowance
from agent.database import Database, StorageFullError
from agent.recorder import Recorder
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.command import Command, prove
from shared.messages.reply import Reply, ReplyState

UNPROVEN_REPORT_S = 60.0
"""Unproven messages are counted, and told of at most this often."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A proven message with all that its judgement needs from outside the database."""

    command: Command
    message: bytes
    moment: Moment
    why_not: str | None
    may_answer: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of it; `reply` is None when it was not even answered."""

    verdict: Verdict
    kept: bool
    reply: Reply | None


class Admission:
    """Judges messages. Use from one event loop only."""

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
        self._address = address
        self._database = database
        self._recorder = recorder
        self._executor = executor
        self._moment = moment
        self._policy = policy
        self._replays = Allowance.full(200, 1.0, time.monotonic())
        self._untold = 0
        self._last_unproven = ""
        self._told_s: float | None = None
        self.closing = False
        self.stats = CommandStats()

    async def admit(self, message: bytes) -> Command | None:
        """The command, if it was admitted; it is written down and answered then.

        Raises `StorageFullError` when nothing could be written down.
        """
        arrived_s = time.monotonic()
        self.stats.received += 1
        try:
            payload = prove(message, self._policy.keys)
        except BadInputError as error:
            await self._count_unproven(str(error))
            return None
        try:
            command = Command.decode(payload)
        except BadInputError as error:
            await self._answer_malformed(payload, error)
            return None
        why_not = "the agent is stopping" if self.closing else self._executor.why_not(command)
        moment = self._moment()
        self._replays, may_answer = self._replays.take(arrived_s)
        arrival = Arrival(command, message, moment, why_not, may_answer)
        decided = await self._write(lambda conn: self._decide(conn, arrival))
        if decided.kept and may_answer:
            self._replays = self._replays.put_back()
        self._count(decided)
        if not isinstance(decided.verdict, Admit):
            return None
        self.stats.count_admission(time.monotonic() - arrived_s)
        return command

    async def tell_unproven(self) -> None:
        """Reports unproven messages not told of yet, if the last report is long enough ago."""
        now_s = time.monotonic()
        recent = self._told_s is not None and now_s - self._told_s < UNPROVEN_REPORT_S
        if self._untold == 0 or recent:
            return
        count, self._untold, self._told_s = self._untold, 0, now_s
        problem = self._last_unproven
        log.warning("messages without a trusted signature were refused", count=count, last=problem)
        await self._recorder.event(answers.unproven_event(count, problem))

    def _decide(self, conn: sqlite3.Connection, arrival: Arrival) -> Decided:
        """One transaction; it may be run again, so it changes nothing but the database."""
        command, moment = arrival.command, arrival.moment
        known = self._known(conn, command)
        verdict = judge(command, known, moment, arrival.why_not)
        keeps = isinstance(verdict, Admit) or (isinstance(verdict, Decline) and verdict.keep)
        if not keeps and not arrival.may_answer:
            return Decided(verdict, kept=False, reply=None)
        reply = _reply_to(command, verdict)
        if keeps:
            journal.write_down(conn, command, arrival.message, reply, moment.time_ms)
        if (command.node, command.stream) == (known.node, known.stream):
            self._raise_marks(conn, arrival, known, verdict)
        device = journal.device_of(command)
        self._recorder.event_in(conn, answers.reply_event(reply, device), moment.time_ms)
        return Decided(verdict, kept=keeps, reply=reply)

    def _known(self, conn: sqlite3.Connection, command: Command) -> Kept:
        rows, waiting = journal.counts(conn, journal.device_of(command))
        return Kept(
            node=self._address.node,
            stream=self._address.stream,
            marks=journal.marks(conn, self._address.stream),
            answered=journal.answer_of(conn, command.id),
            room=rows < self._policy.most_kept and waiting < self._policy.most_open,
        )

    def _raise_marks(
        self, conn: sqlite3.Connection, arrival: Arrival, known: Kept, verdict: Verdict
    ) -> None:
        command, moment = arrival.command, arrival.moment
        lost = missed(known.marks, command.seq)
        if lost is not None:
            event = answers.missed_event(*lost, command)
            self._recorder.event_in(conn, event, moment.time_ms)
        marks = marks_after(known.marks, command, verdict, moment)
        journal.set_marks(conn, known.stream, marks)

    def _count(self, decided: Decided) -> None:
        if decided.reply is None:
            self.stats.silenced += 1
            return
        self.stats.repeated += isinstance(decided.verdict, Repeat)
        self.stats.count_answer(decided.reply)

    async def _answer_malformed(self, payload: bytes, error: BadInputError) -> None:
        """A refusal naming the field, if the message says at least which command it is."""
        try:
            fields = cbor.expect_map(cbor.decode(payload, "command"), "command")
            command_id = cbor.expect_text(cbor.take(fields, "id"), "id", 64)
            seq = cbor.expect_int(cbor.take(fields, "seq"), "seq", 1)
        except BadInputError:
            await self._count_unproven(f"signed, but no command: {error}")
            return
        moment = self._moment()
        decline = Decline(ReplyState.REFUSED, Problem.MALFORMED, str(error), keep=False)
        reply = answers.declined(command_id, seq, decline)

        def answer(conn: sqlite3.Connection) -> bool:
            known = journal.answer_of(conn, command_id) is not None
            if not known:
                self._recorder.event_in(conn, answers.reply_event(reply, ""), moment.time_ms)
            return not known

        self._replays, may_answer = self._replays.take(time.monotonic())
        if may_answer and await self._write(answer):
            self.stats.count_answer(reply)
        else:
            self.stats.silenced += 1

    async def _write(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._database.write(fn)
        except StorageFullError:
            make_room = self._recorder.make_room
            if make_room is None or not await make_room():
                raise
            return await self._database.write(fn)

    async def _count_unproven(self, problem: str) -> None:
        self.stats.unproven += 1
        self._untold += 1
        self._last_unproven = problem
        await self.tell_unproven()


def _reply_to(command: Command, verdict: Verdict) -> Reply:
    match verdict:
        case Admit():
            return Reply(command.id, command.seq, ReplyState.ACCEPTED)
        case Decline():
            return answers.declined(command.id, command.seq, verdict)
        case Repeat(reply):
            return reply
