"""Lock-out/tag-out: a device that a person on site has locked is energised by nobody.

A lock names device, person and reason; several people may lock one device, and it is free only when
each of them has lifted their own lock. Locks are rows of the agent's database and are set and
lifted on the host (`bes agent lockout`), never by a command from afar.

Why nothing can slip through: an intent that energises is written down in a transaction that finds
no lock (`intents.begin`), and a lock in one that tells whether such an intent is still under way.
SQLite runs the two one after the other, whichever process they come from. So either the write sees
the lock and is refused, or whoever locks is told that a write is in flight and waits for its end.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.buffer import rows
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.event import Event, EventKind, Severity


@dataclass(frozen=True, slots=True)
class Lockout:
    """One person's lock on one device."""

    device: str
    person: str
    reason: str
    locked_ms: int

    def __str__(self) -> str:
        return f"{self.device} is locked out by {self.person}: {self.reason}"


def lock(connection: sqlite3.Connection, lockout: Lockout) -> bool:
    """Locks a device; True when a write that energises it was begun before and has not ended.

    To be run inside a transaction. `BadInputError` when that person has locked it already, or a
    text is empty or too long.
    """
    for name, value, most in (
        ("device", lockout.device, 63),
        ("person", lockout.person, 100),
        ("reason", lockout.reason, 300),
    ):
        cbor.expect_text(value, name, most)
    inserted = connection.execute(
        "INSERT INTO lockouts VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (lockout.device, lockout.person, lockout.reason, lockout.locked_ms),
    ).rowcount
    if not inserted:
        raise BadInputError("person", f"{lockout.person} has locked it already", "one lock each")
    _tell(connection, lockout, lockout.locked_ms, locked=True)
    return writes_in_flight(connection, lockout.device)


def lift(connection: sqlite3.Connection, device: str, person: str, now_ms: int) -> None:
    """Lifts the lock that this same person has set; to be run inside a transaction.

    `BadInputError` when that person has no lock on the device: nobody lifts another's.
    """
    held = [found for found in lockouts(connection) if found.device == device]
    own = next((found for found in held if found.person == person), None)
    if own is None:
        people = ", ".join(found.person for found in held) or "nobody"
        raise BadInputError("person", f"{person} has no lock on {device}", f"held by {people}")
    connection.execute("DELETE FROM lockouts WHERE device = ? AND person = ?", (device, person))
    _tell(connection, own, now_ms, locked=False)


def lockouts(connection: sqlite3.Connection) -> tuple[Lockout, ...]:
    """Every lock, oldest first."""
    return tuple(
        Lockout(*row)
        for row in connection.execute(
            "SELECT device, person, reason, locked_ms FROM lockouts ORDER BY locked_ms, person"
        )
    )


def first_lock(connection: sqlite3.Connection, devices: Iterable[str]) -> Lockout | None:
    """A lock on any of the devices; None when all are free."""
    wanted = set(devices)
    return next((found for found in lockouts(connection) if found.device in wanted), None)


def writes_in_flight(connection: sqlite3.Connection, device: str) -> bool:
    """Whether a write that energises the device was begun and the device has not answered it."""
    row = connection.execute(
        "SELECT 1 FROM intents WHERE device = ? AND energises AND state = 'open' LIMIT 1", (device,)
    ).fetchone()
    return row is not None


def devices_of(locks: Sequence[Lockout]) -> frozenset[str]:
    """The devices that are locked."""
    return frozenset(found.device for found in locks)


def _tell(connection: sqlite3.Connection, lockout: Lockout, time_ms: int, *, locked: bool) -> None:
    data = {"locked": locked, "person": lockout.person, "reason": lockout.reason}
    event = Event(EventKind.LOCKOUT, Severity.WARNING, data, lockout.device)
    rows.insert_event(connection, time_ms, event.encode())
