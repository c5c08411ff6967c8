"""Gathers the status report from the parts of a running agent."""

import sqlite3
import time
from dataclasses import dataclass

from agent.buffer.births import Identity
from agent.buffer.keeper import Keeper
from agent.clock import Clock
from agent.clock_sync import read_clock_sync
from agent.commands.clock_trust import ClockTrust
from agent.commands.runner import Commands
from agent.database import Database
from agent.recorder import Recorder
from agent.role import Role
from agent.schema import STREAMS
from agent.status.report import (
    BufferReport,
    ClockReport,
    CommandsReport,
    LinkReport,
    ReplyLine,
    StatusReport,
)
from agent.supervisor import Supervisor
from agent.uplink.uplink import Uplink

NEWEST_REPLIES = 15


@dataclass(frozen=True, slots=True)
class Parts:
    """What an agent is made of."""

    identity: Identity
    role_name: str
    clock: Clock
    started_s: float
    database: Database
    recorder: Recorder
    keeper: Keeper
    uplink: Uplink
    clock_trust: ClockTrust
    commands: Commands
    role: Role
    supervisor: Supervisor


async def look(parts: Parts) -> StatusReport:
    """The report now."""
    moment = parts.clock_trust.moment()
    oldest_ms = await parts.database.read(_oldest_ms)
    return StatusReport(
        node=parts.identity.node,
        role=parts.role_name,
        software=parts.identity.software,
        boot_id=parts.identity.boot_id,
        time_ms=moment.time_ms,
        uptime_s=time.monotonic() - parts.started_s,
        birth=parts.recorder.birth,
        link=_link(parts.uplink),
        buffer=_buffer(parts, oldest_ms),
        clock=_clock(parts.clock_trust),
        commands=await _commands(parts.commands),
        site=parts.role.status(),
        tasks=parts.supervisor.health,
    )


def _oldest_ms(conn: sqlite3.Connection) -> dict[str, int | None]:
    oldest = {}
    for stream in STREAMS:
        query = f"SELECT time_ms FROM {stream} ORDER BY seq LIMIT 1"  # noqa: S608 - a table's name
        row = conn.execute(query).fetchone()
        oldest[stream] = None if row is None else int(row[0])
    return oldest


def _link(uplink: Uplink) -> LinkReport:
    status = uplink.status
    return LinkReport(
        connected=status.connected,
        problem=status.problem,
        connections=status.connections,
        outstanding=dict(status.outstanding),
        in_flight=status.in_flight,
        last_ack_ms=status.last_ack_ms,
    )


def _buffer(parts: Parts, oldest_ms: dict[str, int | None]) -> BufferReport:
    status = parts.keeper.status
    return BufferReport(
        used_bytes=status.used_bytes,
        budget_bytes=status.budget_bytes,
        disk_full=status.disk_full,
        rows_accepted=parts.recorder.accepted,
        rows_thinned=status.rows_thinned,
        snapshots_held=parts.recorder.held,
        oldest_ms=oldest_ms,
    )


def _clock(trust: ClockTrust) -> ClockReport:
    sync = read_clock_sync()
    return ClockReport(sync.synchronised, sync.error_ms, trust.jumped)


async def _commands(commands: Commands) -> CommandsReport:
    stats = commands.stats
    newest = await commands.newest(NEWEST_REPLIES)
    return CommandsReport(
        received=stats.received,
        unproven=stats.unproven,
        repeated=stats.repeated,
        silenced=stats.silenced,
        admitted=stats.admitted,
        admission_s=stats.admission_s,
        slowest_admission_s=stats.slowest_admission_s,
        crashes=commands.crashes,
        answered={
            f"{state}/{problem}" if problem else state: count
            for (state, problem), count in stats.answered.items()
        },
        newest=tuple(
            ReplyLine(time_ms, reply.command_id, reply.state.value, reply.problem, reply.text)
            for time_ms, reply in newest
        ),
    )
