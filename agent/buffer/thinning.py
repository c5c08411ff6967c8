"""Replaces a range of old telemetry by a gap report, both in one transaction."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from agent.buffer import rows
from agent.buffer.aggregates import WIDTHS_MS, Report, ReportLimits, report_on
from agent.clock import Clock
from agent.database import Database
from agent.schema import TELEMETRY
from shared.messages.birth import Birth
from shared.messages.telemetry import TelemetryRow

_MOST_ROWS = 6_000
_LOOK_AT = 30_000
_LONG_ENOUGH = 200
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """An unbroken run of rows of one birth."""

    birth: Birth
    rows: list[TelemetryRow]


def find_run(connection: sqlite3.Connection) -> Run | None:
    """A run of old rows that is worth a report; None without rows."""
    chosen = choose_run(rows.oldest_seqs(connection, _LOOK_AT))
    if chosen is None:
        return None
    found = rows.telemetry_in(connection, [chosen], _MOST_ROWS)
    number = found[0][0]
    birth = Birth.decode(rows.births(connection, [number])[number])
    return Run(birth, [row for _, row in found])


def choose_run(seqs: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """First and last of the oldest run of a good length, else of the longest. Pure.

    `seqs` are (number, birth), ascending; a run has no number missing and one birth. Acks in any
    order can leave many short runs, whose reports would free little.
    """
    longest: tuple[int, int] | None = None
    first = 0
    for index, (seq, birth) in enumerate(seqs):
        if index == 0 or (seq - 1, birth) != seqs[index - 1]:
            first = seq
        if longest is None or seq - first > longest[1] - longest[0]:
            longest = (first, seq)
        ends = index + 1 == len(seqs) or (seq + 1, birth) != seqs[index + 1]
        if ends and seq - first + 1 >= _LONG_ENOUGH:
            return first, seq
    return longest


def finest_width_ms(report_bytes: int, budget_bytes: int) -> int:
    """The finest buckets to make when reports already take so much of the budget. Pure.

    Reports are never dropped: the more of them wait to be sent, the coarser the new ones.
    """
    share = report_bytes / budget_bytes
    if share < 0.25:
        return WIDTHS_MS[0]
    if share < 0.5:
        return WIDTHS_MS[2]
    return WIDTHS_MS[3] if share < 0.75 else WIDTHS_MS[-1]


def commit_report(connection: sqlite3.Connection, report: Report, time_ms: int) -> int | None:
    """Writes the report's event and deletes its rows; its number in the event stream.

    None, and nothing is changed, when some of the rows are gone (acked) meanwhile.
    """
    gap = report.gap
    there = connection.execute(
        "SELECT count(*) FROM telemetry WHERE seq BETWEEN ? AND ?", (gap.first, gap.last)
    ).fetchone()[0]
    if there != gap.last - gap.first + 1:
        return None
    # Deleted first, so that the report can live on the pages that this frees.
    connection.execute("DELETE FROM telemetry WHERE seq BETWEEN ? AND ?", (gap.first, gap.last))
    seq = rows.insert_event(connection, time_ms, report.body)
    connection.execute("INSERT INTO gaps (seq, birth) VALUES (?, ?)", (seq, gap.birth))
    rows.prune_births(connection)
    return seq


async def thin(database: Database, clock: Clock, budget_bytes: int) -> int:
    """Replaces one range; how many rows, 0 when there is nothing left that is worth it.

    Raises `StorageError`, `StorageFullError`.
    """
    waiting = await database.read(rows.report_bytes)
    limits = replace(ReportLimits(), finest_ms=finest_width_ms(waiting, budget_bytes))
    stream = database.streams[TELEMETRY]
    for _ in range(_ATTEMPTS):
        run = await database.read(find_run)
        if run is None:
            return 0
        report = await asyncio.to_thread(report_on, stream, run.birth, run.rows, limits)
        if report is None:
            return 0
        commit = partial(commit_report, report=report, time_ms=clock.now_ms())
        if await database.write(commit, frees_space=True) is not None:
            return report.rows
    return 0
