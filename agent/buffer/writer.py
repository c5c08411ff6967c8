"""The one thread that writes: takes what is queued, runs it in one transaction, commits, tells.

Nothing is told before the COMMIT has returned, which with synchronous=FULL is when the WAL is on
the disk (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from agent.buffer.errors import StorageClosedError, StorageError, StorageFullError, is_full
from agent.buffer.space import Reserve
from agent.schema import last_seqs

log = structlog.get_logger(__name__)

Settle = Callable[["list[tuple[Job, Outcome]]", Mapping[str, int]], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A function to run in the group's transaction, inside a savepoint of its own.

    It may be run again when its group could not commit, so it must have no effect but on the
    connection. `abandoned` tells whether nobody waits for it any more: then it is not begun.
    """

    run: Callable[[sqlite3.Connection], Any]
    abandoned: Callable[[], bool]
    token: Any = None
    frees_space: bool = False
    outside: bool = False
    """Run between two transactions instead; for what SQLite does not allow in one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job came to: its result, or the error that undid it."""

    result: Any = None
    error: Exception | None = None


class GroupWriter(threading.Thread):
    """Runs jobs on one connection; `settle` is called on this thread after each group."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        reserve: Reserve,
        settle: Settle,
        most_per_group: int,
    ) -> None:
        super().__init__(name="agent-database-writer", daemon=True)
        self._connection = connection
        self._reserve = reserve
        self._settle = settle
        self._most_per_group = most_per_group
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.groups_committed = 0

    @property
    def full(self) -> bool:
        """Whether the disk was full and has not been found to have room since."""
        return self._reserve.given_up

    def put(self, job: Job) -> None:
        """Queues a job; the caller bounds how many."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Ends the thread once all that was queued before is settled."""
        self._jobs.put(None)

    def run(self) -> None:
        """The thread."""
        connection = self._connection
        try:
            more = True
            while more:
                jobs, outside, more = self._next_group()
                if jobs:
                    self._settle(self._commit(connection, jobs), _seqs(connection))
                if outside is not None:
                    self._settle([(outside, _outside(connection, outside))], {})
            self._refuse_late_jobs()
        finally:
            connection.close()

    def _next_group(self) -> tuple[list[Job], Job | None, bool]:
        """The jobs of the next transaction, one to run after it, and whether to go on."""
        jobs: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            if job.outside:
                return jobs, job, True
            if not job.abandoned():
                jobs.append(job)
            if len(jobs) >= self._most_per_group:
                return jobs, None, True
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, None, True
        return jobs, None, False

    def _refuse_late_jobs(self) -> None:
        closed = Outcome(error=StorageClosedError("the database is closed"))
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                self._settle([(job, closed)], {})

    def _commit(self, connection: sqlite3.Connection, jobs: list[Job]) -> list[tuple[Job, Outcome]]:
        try:
            return self._transaction(connection, jobs)
        except sqlite3.Error as error:
            if not is_full(error):
                log.exception("a group could not be committed", writes=len(jobs))
                return [(job, _failed(error)) for job in jobs]
        if not self._reserve.given_up:
            log.error("the disk is full: the reserve is given up")
        ordered = sorted(jobs, key=lambda job: not job.frees_space)
        return [(job, self._alone(connection, job)) for job in ordered]

    def _alone(self, connection: sqlite3.Connection, job: Job) -> Outcome:
        """One job in a transaction of its own, on a disk that is full."""
        try:
            if not self._reserve.given_up:
                self._reserve.give_up(connection)
            return self._transaction(connection, [job])[0][1]
        except sqlite3.Error as error:
            if is_full(error):
                return Outcome(error=StorageFullError("the disk is full"))
            return _failed(error)

    def _transaction(
        self, connection: sqlite3.Connection, jobs: list[Job]
    ) -> list[tuple[Job, Outcome]]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [(job, _in_savepoint(connection, job)) for job in jobs]
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.groups_committed += 1
        return outcomes


def _in_savepoint(connection: sqlite3.Connection, job: Job) -> Outcome:
    connection.execute("SAVEPOINT job")
    try:
        outcome = Outcome(result=job.run(connection))
    except Exception as error:
        if isinstance(error, sqlite3.Error) and (is_full(error) or not connection.in_transaction):
            raise
        connection.execute("ROLLBACK TO job")
        outcome = Outcome(error=error)
    connection.execute("RELEASE job")
    return outcome


def _outside(connection: sqlite3.Connection, job: Job) -> Outcome:
    try:
        return Outcome(result=job.run(connection))
    except (sqlite3.Error, OSError) as error:
        return _failed(error)


def _failed(error: Exception) -> Outcome:
    failure = StorageError(f"the database could not commit: {error}")
    failure.__cause__ = error
    return Outcome(error=failure)


def _seqs(connection: sqlite3.Connection) -> Mapping[str, int]:
    """The last numbers after a commit; empty when they cannot be read (the next commit tells)."""
    try:
        return last_seqs(connection)
    except sqlite3.Error:
        log.exception("the last numbers could not be read")
        return {}
