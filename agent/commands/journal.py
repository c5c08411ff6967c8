"""Commands in SQLite. Every function works inside a transaction of the caller's.

An entry is written when its command is admitted (or declined with an answer to keep) and moves only
as the table in `lifecycle` says, by compare-and-set on its state. The marks of a stream outlive the
entries, so that pruning forgets no number.
"""

import sqlite3
from dataclasses import dataclass

from agent.commands.judge import Marks
from agent.commands.lifecycle import (
    INITIAL,
    OPEN,
    TERMINAL_STATES,
    CommandEvent,
    CommandState,
    NoSuchTransitionError,
    event_of,
    step,
)
from shared.messages import cbor
from shared.messages.command import Command
from shared.messages.reply import Reply, ReplyState

_OPEN = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
_ENDED = ", ".join(f"'{state.value}'" for state in sorted(TERMINAL_STATES))


@dataclass(frozen=True, slots=True)
class Entry:
    """An open command: its state and the signed message as it arrived."""

    id: str
    seq: int
    state: CommandState
    message: bytes


def marks(conn: sqlite3.Connection, stream: int) -> Marks:
    """The marks of a stream; zeros for one that never saw a command."""
    row = conn.execute(
        "SELECT last_accepted, last_seen, latest_issued_ms FROM command_marks WHERE stream = ?",
        (stream,),
    ).fetchone()
    return Marks() if row is None else Marks(*row)


def set_marks(conn: sqlite3.Connection, stream: int, new: Marks) -> None:
    """Raises the marks; none of them ever falls."""
    conn.execute(
        "INSERT INTO command_marks (stream, last_accepted, last_seen, latest_issued_ms)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (stream) DO UPDATE SET"
        " last_accepted = max(last_accepted, excluded.last_accepted),"
        " last_seen = max(last_seen, excluded.last_seen),"
        " latest_issued_ms = max(latest_issued_ms, excluded.latest_issued_ms)",
        (stream, new.last_accepted, new.last_seen, new.latest_issued_ms),
    )


def answer_of(conn: sqlite3.Connection, command_id: str) -> Reply | None:
    """The latest answer that was given to this id, if it is kept."""
    row = conn.execute("SELECT reply FROM commands WHERE id = ?", (command_id,)).fetchone()
    if row is None:
        return None
    return Reply.from_data(cbor.expect_map(cbor.decode(row[0]), "reply"))


def counts(conn: sqlite3.Connection, device: str) -> tuple[int, int]:
    """How many commands are kept in all, and how many of them are open for one device."""
    (kept,) = conn.execute("SELECT count(*) FROM commands").fetchone()
    (waiting,) = conn.execute(
        f"SELECT count(*) FROM commands WHERE state IN ({_OPEN}) AND device = ?",  # noqa: S608
        (device,),
    ).fetchone()
    return kept, waiting


def write_down(
    conn: sqlite3.Connection, command: Command, message: bytes, reply: Reply, now_ms: int
) -> None:
    """The first entry of an id, in the state that its first answer stands for."""
    state = step(INITIAL, event_of(reply.state))
    conn.execute(
        "INSERT INTO commands (id, seq, state, device, expires_at_ms, changed_at_ms, message,"
        " reply) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            command.id,
            command.seq,
            state.value,
            device_of(command),
            command.expires_at_ms,
            now_ms,
            message if state in OPEN else None,
            cbor.encode(reply.to_data()),
        ),
    )


def move(
    conn: sqlite3.Connection,
    command_id: str,
    before: CommandState,
    event: CommandEvent,
    now_ms: int,
) -> CommandState:
    """Moves an open command without an answer. Raises `NoSuchTransitionError` when the table has
    no such move or the command is no longer in the state `before`; nothing is changed then."""
    after = step(before, event)
    _compare_and_set(
        conn,
        "UPDATE commands SET state = ?, changed_at_ms = ? WHERE id = ? AND state = ?",
        (after.value, now_ms, command_id, before.value),
    )
    return after


def end(conn: sqlite3.Connection, before: CommandState, reply: Reply, now_ms: int) -> None:
    """Ends a command with its answer; raises as `move` does."""
    after = step(before, event_of(reply.state))
    _compare_and_set(
        conn,
        "UPDATE commands SET state = ?, changed_at_ms = ?, reply = ?, message = NULL"
        " WHERE id = ? AND state = ?",
        (
            after.value,
            now_ms,
            cbor.encode(reply.to_data()),
            reply.command_id,
            before.value,
        ),
    )


def open_entries(conn: sqlite3.Connection) -> tuple[Entry, ...]:
    """Every open command in the order of their numbers."""
    rows = conn.execute(
        f"SELECT id, seq, state, message FROM commands WHERE state IN ({_OPEN}) ORDER BY seq"  # noqa: S608
    ).fetchall()
    return tuple(Entry(id_, seq, CommandState(state), msg) for id_, seq, state, msg in rows)


def prune(conn: sqlite3.Connection, now_ms: int, keep_ms: int, most: int) -> int:
    """Forgets ended commands that can no longer arrive (their time is over) and are either older
    than `keep_ms` or beyond the `most` newest; how many. Never an open one, never a mark."""
    cursor = conn.execute(
        f"DELETE FROM commands WHERE state IN ({_ENDED}) AND expires_at_ms < ?"  # noqa: S608
        " AND (changed_at_ms < ? OR rowid NOT IN"
        " (SELECT rowid FROM commands ORDER BY changed_at_ms DESC, rowid DESC LIMIT ?))",
        (now_ms, now_ms - keep_ms, most),
    )
    return cursor.rowcount


def last_replies(conn: sqlite3.Connection, most: int) -> tuple[tuple[int, Reply], ...]:
    """The newest answers as (time in ms, reply), newest first; for the status page."""
    rows = conn.execute(
        "SELECT changed_at_ms, reply FROM commands ORDER BY changed_at_ms DESC, rowid DESC LIMIT ?",
        (most,),
    ).fetchall()
    return tuple(
        (time_ms, Reply.from_data(cbor.expect_map(cbor.decode(reply), "reply")))
        for time_ms, reply in rows
    )


def accepted(command: Command) -> Reply:
    """The answer to a command that was written down."""
    return Reply(command.id, command.seq, ReplyState.ACCEPTED)


def device_of(command: Command) -> str:
    """The device that a command is about; "" when its action names none."""
    device = command.action.to_params().get("device", "")
    return device if isinstance(device, str) else ""


def _compare_and_set(
    conn: sqlite3.Connection, statement: str, values: tuple[str | int | bytes, ...]
) -> None:
    if conn.execute(statement, values).rowcount != 1:
        raise NoSuchTransitionError(f"command {values[-2]!r} is not {values[-1]!r} any more")
