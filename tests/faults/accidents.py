"""What goes wrong in a run, planned from its seed alone."""

import random
from dataclasses import dataclass
from enum import StrEnum

WINDOW_S = 4.0
_DAY_S = 86_400


class AccidentKind(StrEnum):
    """One kind of accident."""

    AGENT_KILLED = "agent killed"
    BROKER_KILLED = "broker killed"
    CONTROLLER_KILLED = "controller killed"
    BROKER_WIPED = "broker killed and its store wiped"
    LINK_CUT = "link cut"
    LINK_SILENT = "link silent"
    DISK_FULL = "disk full"
    CLOCK_JUMPED = "clock jumped"


@dataclass(frozen=True, slots=True)
class Accident:
    """It happens `at_s` after the start of the window and is mended after `lasts_s`.

    `jump_s` is by how much the agent's clock is set while it lasts.
    """

    kind: AccidentKind
    at_s: float
    lasts_s: float
    jump_s: int = 0


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A whole run: accidents, and when commands and attacks are sent."""

    seed: int
    accidents: tuple[Accident, ...]
    commands_at_s: tuple[float, ...]
    attacks_at_s: tuple[float, ...]


def plan_run(seed: int) -> RunPlan:
    """The plan of a seed: 3 to 6 accidents, each kind at most once."""
    source = random.Random(seed)
    kinds = source.sample(list(AccidentKind), source.randint(3, 6))
    return RunPlan(
        seed=seed,
        accidents=tuple(_accident(source, kind) for kind in kinds),
        commands_at_s=tuple(sorted(source.uniform(0, WINDOW_S) for _ in range(6))),
        attacks_at_s=tuple(sorted(source.uniform(0.5, WINDOW_S) for _ in range(3))),
    )


def _accident(source: random.Random, kind: AccidentKind) -> Accident:
    jump_s = 0
    if kind is AccidentKind.CLOCK_JUMPED:
        jump_s = source.choice([-1, 1]) * source.choice([2, 60, 3_600, _DAY_S, 4 * _DAY_S])
    return Accident(kind, source.uniform(0, WINDOW_S), source.uniform(0.3, 2.0), jump_s)
