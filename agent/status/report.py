"""One look at the agent, as values. Times are business milliseconds unless a name says otherwise;
None stands for what is not known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agent.role import RoleStatus
from agent.supervisor import TaskHealth


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The way up. `outstanding` counts rows by stream that are accepted and not acked."""

    connected: bool
    problem: str
    connections: int
    outstanding: Mapping[str, int]
    in_flight: int
    last_ack_ms: int | None


@dataclass(frozen=True, slots=True)
class BufferReport:
    """The disk. `oldest_ms` is the time of the oldest row of each stream that is kept."""

    used_bytes: int
    budget_bytes: int
    disk_full: bool
    rows_accepted: int
    rows_thinned: int
    snapshots_held: int
    oldest_ms: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class ClockReport:
    """How far the clock can be trusted; `jumped` means that commands are refused for its sake."""

    synchronised: bool | None
    error_ms: int | None
    jumped: bool


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """One of the newest answers to commands."""

    time_ms: int
    command_id: str
    state: str
    problem: str
    text: str


@dataclass(frozen=True, slots=True)
class CommandsReport:
    """Commands since the start; `answered` by "state" or "state/problem"."""

    received: int
    unproven: int
    repeated: int
    silenced: int
    admitted: int
    admission_s: float
    slowest_admission_s: float
    crashes: int
    answered: Mapping[str, int]
    newest: tuple[ReplyLine, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All of it."""

    node: str
    role: str
    software: str
    boot_id: str
    time_ms: int
    uptime_s: float
    birth: int
    link: LinkReport
    buffer: BufferReport
    clock: ClockReport
    commands: CommandsReport
    site: RoleStatus = field(default_factory=RoleStatus)
    tasks: tuple[TaskHealth, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)


def problems_of(report: StatusReport) -> tuple[str, ...]:
    """What a person should look at, worst first; empty when all is well. Pure."""
    found = []
    if report.buffer.disk_full:
        found.append("the disk is full")
    if report.buffer.snapshots_held:
        found.append(f"{report.buffer.snapshots_held} snapshots wait in memory for disk space")
    if report.clock.jumped:
        found.append("the clock jumped and is not synchronised: commands are refused")
    found += [
        f"task {task.name} is not running: {task.last_crash or 'it ended'}"
        for task in report.tasks
        if not task.running
    ]
    if not report.link.connected:
        found.append(f"no link to the broker: {report.link.problem}")
    silent = [device.name for device in report.site.devices if device.problem]
    if silent:
        found.append(f"{len(silent)} devices have a problem: {', '.join(silent[:5])}")
    return tuple(found)
