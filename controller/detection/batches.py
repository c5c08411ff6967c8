"""What batches of rows give away: numbers used twice, answers to orders nobody gave."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from controller.detection.baselines import report_of
from controller.detection.fleet_rules import Issued, judge_agent_event, judge_reply
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.fleet.event_content import EventContent
from controller.storage.tables import commands, events, telemetry
from shared.messages.event import EventKind, EventRow
from shared.messages.telemetry import TelemetryRow


def watch_repeated(
    conn: Connection,
    node: str,
    stream: int,
    rows: Sequence[EventRow] | Sequence[TelemetryRow],
    now_ms: int,
) -> None:
    """Compares the first of rows that are committed already with what was committed then.

    Sent again it is the same row. Another row under its number is a database put back to an older
    copy, or somebody else who counts for himself.
    """
    if not rows:
        return
    row = rows[0]
    table = events if isinstance(row, EventRow) else telemetry
    query = select(table.c.time_ms, table.c.body)
    kept = conn.execute(
        query.where(table.c.stream == stream, table.c.seq == row.seq).limit(1)
    ).one_or_none()
    if kept is None or (kept.time_ms, kept.body) == (row.time_ms, row.body):
        return
    report(
        conn,
        kind=SecurityKind.SEQUENCE_ROLLBACK,
        subject=node,
        detail={"of": "rows", "stream": str(stream)},
        now_ms=now_ms,
    )


def watch_event(
    conn: Connection, node: str, stream: int, content: EventContent, told: tuple[int, int]
) -> None:
    """Reports what an event gives away, before the command that it answers takes the answer;
    `told` are the times (ms) at which the node told it and at which it came here."""
    at_ms, now_ms = told
    noticed = None
    if content.reply is not None:
        issued = _issued(conn, node, stream, content)
        noticed = judge_reply(content.reply, issued, at_ms)
    elif content.event.kind is EventKind.AGENT:
        noticed = judge_agent_event(content.event.data)
    if noticed is not None:
        report_of(conn, node, noticed, now_ms)


def _issued(conn: Connection, node: str, stream: int, content: EventContent) -> Issued | None:
    reply: Any = content.reply
    row = conn.execute(
        select(commands.c.finished_ms).where(
            commands.c.id == reply.command_id,
            commands.c.node == node,
            commands.c.stream == stream,
            commands.c.seq == reply.seq,
        )
    ).one_or_none()
    return None if row is None else Issued(row.finished_ms)
