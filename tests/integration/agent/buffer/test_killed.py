"""The process is killed with SIGKILL in the midst of its writes."""

import sys
from pathlib import Path

from agent.buffer import rows
from agent.database import Database
from shared.messages.event import Event
from shared.messages.telemetry import decode_body
from tests.agents import count, lines_before_kill

_LINES = (40, 151, 7)


def _run_and_kill(path: Path, lines: int) -> list[list[str]]:
    """What the process said it had accepted when it was killed after so many lines."""
    command = [sys.executable, "-m", "tests.integration.agent.buffer.writing", str(path)]
    return lines_before_kill(command, lines)


async def test_what_was_accepted_survives_a_kill_and_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    streams: dict[str, int] = {}
    events: dict[int, int] = {}
    values: set[float] = set()
    for round_number, lines in enumerate(_LINES):
        said = _run_and_kill(path, lines)
        assert len(said) >= lines
        new = {int(seq): int(value) for kind, seq, value in said if kind == "event"}
        assert min(new) > max(events, default=0), "a number was given twice"
        events |= new
        values |= {float(value) for kind, _, value in said if kind == "telemetry"}
        database = await Database.open(path)
        assert streams in ({}, dict(database.streams)), "the streams are those of the database"
        streams = dict(database.streams)
        kept = await database.read(lambda c: rows.events_in(c, [(1, 2**62)], 100_000))
        found = {row.seq: Event.decode(row.body).data["value"] for row in kept}
        assert events.items() <= found.items()
        snapshots = await database.read(lambda c: rows.telemetry_in(c, [(1, 2**62)], 100_000))
        recorded = [value for _, row in snapshots for value in decode_body(row.body).values()]
        assert values <= set(recorded)
        check = await database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone())
        assert check == ("ok",)
        births = await database.read(lambda c: count(c, "births"))
        assert births >= round_number + 1, "each start has its birth, kept while rows name it"
        await database.close()
