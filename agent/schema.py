"""Every table of the agent's database, as migrations that are applied once and never edited.

A new table or column is a new function at the end. A database that is lost or made anew gets new
stream ids with its tables, so that no row of it is ever taken for one of its predecessor.
"""

import secrets
import sqlite3
import time
from typing import cast

from sqlite_utils import Database as Tables
from sqlite_utils import Migrations

TELEMETRY = "telemetry"
EVENT = "event"
STREAMS = (TELEMETRY, EVENT)

migrations = Migrations("agent")


def migrate(connection: sqlite3.Connection) -> None:
    """Brings a database to the newest schema; each migration commits with the note of it."""
    migrations.apply(Tables(connection, execute_plugins=False))


@migrations()
def meta(tables: Tables) -> None:
    """Single values that outlive the process."""
    tables.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT")


@migrations()
def streams_and_rows(tables: Tables) -> None:
    """The two streams, their random 63-bit ids made with them, and what their rows mean.

    AUTOINCREMENT never allots a number again, even when the row that had it is gone. `gaps` notes
    which births the gap reports still in the event stream name.
    """
    for statement in (
        "CREATE TABLE streams (name TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT",
        """CREATE TABLE devices (
            alias INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT""",
        """CREATE TABLE metrics (
            alias INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, unit TEXT NOT NULL,
            type TEXT NOT NULL, UNIQUE (name, unit, type)) STRICT""",
        """CREATE TABLE births (
            number INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL) STRICT""",
        """CREATE TABLE telemetry (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL,
            birth INTEGER NOT NULL REFERENCES births (number), device INTEGER NOT NULL,
            body BLOB NOT NULL) STRICT""",
        "CREATE INDEX telemetry_birth ON telemetry (birth)",
        """CREATE TABLE event (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL,
            body BLOB NOT NULL) STRICT""",
        """CREATE TABLE gaps (
            seq INTEGER PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,
            birth INTEGER NOT NULL REFERENCES births (number)) STRICT""",
        "CREATE INDEX gaps_birth ON gaps (birth)",
    ):
        tables.execute(statement)
    for stream in STREAMS:
        tables.execute("INSERT INTO streams VALUES (?, ?)", [stream, secrets.randbits(63)])
    # Births start at a number that no earlier database of this node can have used, so that a
    # number never means two things; below 2^53, so that JSON carries it.
    first = time.time_ns() // 1_000_000 * 1024 + secrets.randbelow(1024)
    tables.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('births', ?)", [first])


@migrations()
def commands(tables: Tables) -> None:
    """Commands by id with their last answer, and the numbers that outlive them.

    `message` is the signed message of an open command; an ended one needs it no more.
    """
    for statement in (
        """CREATE TABLE commands (
            id TEXT PRIMARY KEY, seq INTEGER NOT NULL, state TEXT NOT NULL, device TEXT NOT NULL,
            expires_at_ms INTEGER NOT NULL, changed_at_ms INTEGER NOT NULL, message BLOB,
            reply BLOB NOT NULL) STRICT""",
        "CREATE INDEX commands_open ON commands (device) WHERE state IN ('accepted', 'acting')",
        "CREATE INDEX commands_changed ON commands (changed_at_ms)",
        """CREATE TABLE command_marks (
            stream INTEGER PRIMARY KEY, last_accepted INTEGER NOT NULL,
            last_seen INTEGER NOT NULL, latest_issued_ms INTEGER NOT NULL) STRICT""",
    ):
        tables.execute(statement)


@migrations()
def site(tables: Tables) -> None:
    """Role "site": intents of device writes, lock-outs, what devices were last told, raised alarms
    and the last accepted document of the price feed.

    An intent's `state` is open (written down), applied (the device took it) or an outcome.
    """
    for statement in (
        """CREATE TABLE intents (
            id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, action TEXT NOT NULL,
            params BLOB NOT NULL, energises INTEGER NOT NULL, cause TEXT NOT NULL,
            created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, state TEXT NOT NULL,
            changed_ms INTEGER NOT NULL, detail TEXT NOT NULL DEFAULT '') STRICT""",
        "CREATE INDEX intents_open ON intents (device) WHERE state IN ('open', 'applied')",
        "CREATE INDEX intents_cause ON intents (cause)",
        "CREATE INDEX intents_changed ON intents (changed_ms)",
        """CREATE TABLE lockouts (
            device TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,
            locked_ms INTEGER NOT NULL, PRIMARY KEY (device, person)) STRICT""",
        """CREATE TABLE device_state (
            device TEXT PRIMARY KEY, setpoint BLOB, since_ms INTEGER, held_until_ms INTEGER,
            cause TEXT NOT NULL DEFAULT '') STRICT""",
        """CREATE TABLE alarms (
            device TEXT NOT NULL, code TEXT NOT NULL, raised_ms INTEGER NOT NULL,
            PRIMARY KEY (device, code)) STRICT""",
        """CREATE TABLE price_feed (
            id INTEGER PRIMARY KEY CHECK (id = 1), received_ms INTEGER NOT NULL,
            body BLOB NOT NULL) STRICT""",
    ):
        tables.execute(statement)


def stream_ids(connection: sqlite3.Connection) -> dict[str, int]:
    """The streams' ids by table."""
    rows = connection.execute("SELECT name, id FROM streams")
    return {cast("str", name): cast("int", number) for name, number in rows}


def last_seqs(connection: sqlite3.Connection) -> dict[str, int]:
    """The last number allotted in each stream, 0 where none was."""
    rows = connection.execute(
        "SELECT name, seq FROM sqlite_sequence WHERE name IN ('telemetry', 'event')"
    )
    return dict.fromkeys(STREAMS, 0) | dict(rows)
