"""`bes agent lockout`: sets, lifts and lists lock-outs in the agent's database, running or not."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TextIO

from agent.clock import SystemClock
from agent.config import AgentConfig
from agent.runtime.owner import acting_as_owner
from agent.schema import migrate
from agent.site import lockout
from agent.status.words import age
from shared.errors import BadInputError

_BUSY_TIMEOUT_MS = 10_000
_LOOK_EVERY_S = 0.2


def list_lockouts(config: AgentConfig, out: TextIO) -> int:
    """Prints every lock; 0."""
    now_ms = SystemClock(config.clock.scale).now_ms()
    with _connected(config) as connection:
        locks = lockout.lockouts(connection)
    for lock in locks:
        since = age(lock.locked_ms, now_ms)
        out.write(f"{lock.device}\t{lock.person}\t{since} ago\t{lock.reason}\n")
    if not locks:
        out.write("no device is locked out\n")
    return 0


def set_lockout(
    config: AgentConfig, device: str, person: str, reason: str, wait_s: float, out: TextIO
) -> int:
    """Locks a device; 0 once no write that energises it is under way, 3 when one may still be.

    Raises `BadInputError` for a device the site does not have, or a lock the person has already.
    """
    known = sorted(entry.name for entry in config.devices)
    if device not in known:
        raise BadInputError("device", f"{device!r} is not configured", ", ".join(known) or "none")
    now_ms = SystemClock(config.clock.scale).now_ms()
    with _connected(config) as connection:
        with _transaction(connection):
            lock = lockout.Lockout(device, person, reason, now_ms)
            in_flight = lockout.lock(connection, lock)
        deadline_s = time.monotonic() + wait_s
        while in_flight and time.monotonic() < deadline_s:
            time.sleep(_LOOK_EVERY_S)
            in_flight = lockout.writes_in_flight(connection, device)
    if in_flight:
        out.write(
            f"{device} is locked out, but a write that energises it was begun before and has not"
            " ended. Prove it dead before you touch it.\n"
        )
        return 3
    out.write(f"{device} is locked out by {person}\n")
    return 0


def lift_lockout(config: AgentConfig, device: str, person: str, out: TextIO) -> int:
    """Lifts the person's own lock; 0. Raises `BadInputError` when there is none."""
    now_ms = SystemClock(config.clock.scale).now_ms()
    with _connected(config) as connection:
        with _transaction(connection):
            lockout.lift(connection, device, person, now_ms)
        left = [held.person for held in lockout.lockouts(connection) if held.device == device]
    out.write(f"{person} has lifted the lock on {device}")
    out.write(f"; still locked by {', '.join(left)}\n" if left else "; it is free\n")
    return 0


@contextmanager
def _connected(config: AgentConfig) -> Iterator[sqlite3.Connection]:
    """A connection of this process's own; the database is made if the agent never ran. Root has no
    more than the agent's rights meanwhile."""
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        acting_as_owner(config.data_dir),
        closing(sqlite3.connect(config.database_file, isolation_level=None)) as connection,
    ):
        for pragma in (
            f"busy_timeout = {_BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchone()
        migrate(connection)
        yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
