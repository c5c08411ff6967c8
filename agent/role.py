"""What a role offers to the runtime that composes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry

from agent.commands.executor import Executor
from agent.supervisor import TaskSpec


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device for the status page; None where it is not known. Times in business ms."""

    name: str
    kind: str
    state: str
    read_ms: int | None = None
    power_w: float | None = None
    hashrate_ths: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DecisionStatus:
    """One decision, with its reason in words."""

    time_ms: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LockoutStatus:
    """One lock-out."""

    device: str
    person: str
    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """What a role shows. `facts` are single lines: name and value."""

    devices: tuple[DeviceStatus, ...] = ()
    decisions: tuple[DecisionStatus, ...] = ()
    lockouts: tuple[LockoutStatus, ...] = ()
    facts: tuple[tuple[str, str], ...] = field(default_factory=tuple)


class Role(Protocol):
    """A role, built and not yet running."""

    @property
    def executor(self) -> Executor:
        """Carries out commands."""
        ...

    @property
    def registry(self) -> CollectorRegistry:
        """What the role measures of itself, for the metrics page."""
        ...

    def tasks(self) -> Sequence[TaskSpec]:
        """What is to be kept alive; started in this order, stopped in reverse."""
        ...

    async def ready(self) -> None:
        """Returns once the role can judge commands (each device was tried at least once)."""
        ...

    async def make_safe(self) -> None:
        """Brings the hardware into its configured safe state for the agent's absence. Called once,
        after the role's tasks have ended; bounded in time by the caller."""
        ...

    async def close(self) -> None:
        """Releases the devices; never raises."""
        ...

    def status(self) -> RoleStatus:
        """For the status page; quick, without I/O."""
        ...
