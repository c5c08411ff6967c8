"""Judges a run: what the agent accepted, what the controller has, what the machines were told."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from controller.fleet.command_life import TERMINAL, CommandState
from controller.storage.engine import Storage
from controller.storage.tables import commands, events, gaps, telemetry
from shared.ranges import RangeSet
from tests.faults.attacker import FIRST_POWER_W

STREAMS = ("telemetry", "event")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Of one stream: its id, the last number given, the witnessed rows by number, and the numbers
    whose rows are still in the agent's buffer."""

    stream: int
    last: int
    rows: dict[int, tuple[int, bytes]]
    buffered: RangeSet


def accepted(database: Path) -> dict[str, Accepted]:
    """What the agent accepted, from its own file. Numbers count up from 1 without a hole, so that
    the last one tells of every row, witnessed or not."""
    with closing(sqlite3.connect(database, timeout=30)) as conn:
        ids = dict(conn.execute("SELECT name, id FROM streams").fetchall())
        last = dict(conn.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        rows: dict[str, dict[int, tuple[int, bytes]]] = {name: {} for name in STREAMS}
        for name, seq, time_ms, body in conn.execute("SELECT * FROM witness"):
            rows[name][seq] = (time_ms, body)
        kept = {
            name: RangeSet.of_numbers(seq for (seq,) in conn.execute(f"SELECT seq FROM {name}"))
            for name in STREAMS
        }
    return {
        name: Accepted(ids[name], last.get(name, 0), rows[name], kept[name]) for name in STREAMS
    }


def committed(storage: Storage, name: str, stream: int) -> dict[int, tuple[int, bytes]]:
    """The controller's rows of a stream by number. A number twice fails at once."""
    table = {"telemetry": telemetry, "event": events}[name]
    with storage.read() as conn:
        rows = conn.execute(
            select(table.c.seq, table.c.time_ms, table.c.body).where(table.c.stream == stream)
        ).all()
    numbers = Counter(row.seq for row in rows)
    doubled = [seq for seq, count in numbers.items() if count > 1]
    assert not doubled, f"{name} rows committed more than once: {doubled}"
    return {row.seq: (row.time_ms, bytes(row.body)) for row in rows}


def reported(storage: Storage, stream: int) -> RangeSet:
    """Numbers that gap reports name."""
    with storage.read() as conn:
        rows = conn.execute(select(gaps.c.first, gaps.c.last).where(gaps.c.stream == stream)).all()
    return RangeSet.of((row.first, row.last) for row in rows)


def missing(storage: Storage, name: str, stream: Accepted) -> RangeSet:
    """Accepted numbers that are neither committed nor named in a gap report."""
    if not stream.last:
        return RangeSet()
    have = RangeSet.of_numbers(committed(storage, name, stream.stream))
    return RangeSet.of([(1, stream.last)]).difference(have.union(reported(storage, stream.stream)))


def judge_rows(storage: Storage, database: Path) -> int:
    """Every accepted row is committed as it was, exactly once, or named in a gap report, or waits
    in the buffer of the agent that has ended; how many were accepted."""
    total = 0
    for name, stream in accepted(database).items():
        lost = missing(storage, name, stream).difference(stream.buffered)
        assert not lost, f"{name} rows accepted and lost: {lost.spans}"
        have = committed(storage, name, stream.stream)
        invented = [seq for seq in have if not 1 <= seq <= stream.last]
        assert not invented, f"{name} rows that were never accepted: {invented}"
        changed = [seq for seq, row in stream.rows.items() if seq in have and have[seq] != row]
        assert not changed, f"{name} rows changed on the way: {changed}"
        total += stream.last
    return total


def open_commands(storage: Storage) -> list[tuple[str, str]]:
    """Commands that are not at an end, with their states."""
    with storage.read() as conn:
        rows = conn.execute(select(commands.c.id, commands.c.state)).all()
    return [(row.id, row.state) for row in rows if CommandState(row.state) not in TERMINAL]


def judge_commands(storage: Storage, told_w: Sequence[int]) -> Counter[str]:
    """No order acted twice, none that was forged acted, and an end tells the truth; how many ended
    in which state."""
    told = Counter(told_w)
    twice = {power_w: count for power_w, count in told.items() if count > 1}
    assert not twice, f"machines were told these power limits more than once: {twice}"
    forged = [power_w for power_w in told if power_w >= FIRST_POWER_W]
    assert not forged, f"forged commands acted: {forged}"
    states: Counter[str] = Counter()
    with storage.read() as conn:
        rows = conn.execute(select(commands)).all()
    for row in rows:
        acted = told[row.params["setpoint"]["power_w"]]
        states[row.state] += 1
        if row.state == CommandState.DONE:
            assert acted == 1, f"{row.id} is done and no machine was told"
        if row.state in {CommandState.REFUSED, CommandState.EXPIRED}:
            assert acted == 0, f"{row.id} is {row.state} and acted all the same"
    return states
