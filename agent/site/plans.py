"""Each miner's place on its ladder, what protects it, and the moves open to it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from agent.site.economics import Outlook, Rung, rungs
from agent.site.situation import Limits, MinerState, Profile, Reason, Situation
from shared.setpoints import PowerLimit, Setpoint, Stop


class Guard(IntEnum):
    """What protects a running miner from being stopped, weakest first."""

    NONE = 0
    MIN_ON = 1
    HELD = 2
    MUST_RUN = 3


@dataclass(slots=True)
class Plan:
    """One miner while the decision is made.

    `level` counts the rungs it stands on, `target` those it will; `power_w` follows `target`.
    `reason` is set where something other than the price decided.
    """

    miner: MinerState
    ladder: tuple[Rung, ...]
    power_w: int
    level: int = 0
    target: int = 0
    movable: bool = False
    guard: Guard = Guard.NONE
    no_start: Reason | None = None
    reason: Reason | None = None


@dataclass(slots=True)
class Move:
    """One rung that may be left or climbed, and the watts that this changes."""

    plan: Plan
    rung: int
    power_w: int
    threshold: int
    guard: Guard


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where miners of one profile and setpoint stand: alike for all of them, so found once."""

    ladder: tuple[Rung, ...]
    power_w: int
    level: int


def make_plans(situation: Situation, ahead: Outlook | None, now_ms: int) -> list[Plan]:
    """One plan a miner, in the order given."""
    stands: dict[tuple[int, Setpoint | None], _Stand] = {}
    plans: list[Plan] = []
    for miner in situation.miners:
        key = (id(miner.profile), miner.current)
        stand = stands.get(key)
        if stand is None:
            stand = stands[key] = _stand(miner, situation, ahead)
        plans.append(_plan(miner, stand, situation.limits, now_ms))
    return plans


def _stand(miner: MinerState, situation: Situation, ahead: Outlook | None) -> _Stand:
    profile, current = miner.profile, miner.current
    running = current is not None and not isinstance(current, Stop)
    ladder = rungs(profile, situation.earnings, situation.limits, ahead, running=running)
    if current is None:
        return _Stand(ladder, _highest_w(profile), 0)
    if isinstance(current, Stop):
        return _Stand(ladder, profile.idle_power_w, 0)
    power_w = _drawn_w(profile, current)
    level = max(1, sum([rung.total_w <= power_w for rung in ladder])) if ladder else 0
    return _Stand(ladder, power_w, level)


def lock_out(plans: Sequence[Plan]) -> None:
    """Tells locked-out miners to stop, whatever else holds; they take no part in the rest."""
    for plan in plans:
        if plan.miner.locked_out:
            plan.reason = Reason.LOCKED_OUT
            plan.movable = False
            if plan.miner.reachable and plan.miner.controllable:
                plan.power_w, plan.target = plan.miner.profile.idle_power_w, 0


def stops(plans: Sequence[Plan]) -> list[Move]:
    """Every rung that is stood on, in the order in which they are left."""
    moves: list[Move] = []
    for plan in plans:
        if not plan.movable:
            continue
        above_w = plan.power_w
        for index in range(plan.level - 1, -1, -1):
            below_w = plan.ladder[index - 1].total_w if index else plan.miner.profile.idle_power_w
            # Minimum time on and must-run keep a miner hashing; a hold keeps it where it is.
            guard = plan.guard if index == 0 or plan.guard is Guard.HELD else Guard.NONE
            threshold = plan.ladder[index].threshold
            moves.append(Move(plan, index, above_w - below_w, threshold, guard))
            above_w = below_w
    moves.sort(key=lambda move: (move.guard, move.threshold))
    return moves


def starts(plans: Sequence[Plan]) -> list[Move]:
    """Every rung that may be climbed, the first of miners that must run before all others."""
    moves: list[Move] = []
    for plan in plans:
        if not plan.movable or plan.no_start is not None:
            continue
        above_w = plan.power_w
        for index in range(plan.level, len(plan.ladder)):
            rung = plan.ladder[index]
            guard = Guard.MUST_RUN if plan.miner.must_run and index == 0 else Guard.NONE
            moves.append(Move(plan, index, rung.total_w - above_w, rung.threshold, guard))
            above_w = rung.total_w
    moves.sort(key=lambda move: (-move.guard, -move.threshold))
    return moves


def _plan(miner: MinerState, stand: _Stand, limits: Limits, now_ms: int) -> Plan:
    plan = Plan(miner, stand.ladder, stand.power_w, stand.level, stand.level)
    if miner.current is None:
        plan.reason = Reason.STATE_UNKNOWN
    if not stand.ladder:
        plan.reason = Reason.EFFICIENCY_UNKNOWN
    if not miner.controllable:
        plan.reason = Reason.NOT_CONTROLLABLE
    if miner.retry_ms is not None and now_ms < miner.retry_ms:
        plan.reason = Reason.NOT_FOLLOWING
    if not miner.reachable:
        plan.reason = Reason.UNREACHABLE
    if plan.reason is None:
        plan.movable = True
        _protect(plan, limits, now_ms)
    return plan


def _drawn_w(profile: Profile, setpoint: Setpoint) -> int:
    """What a setpoint lets a miner draw; one that no point names counts as the highest point."""
    for point in profile.points:
        if point.setpoint == setpoint:
            return point.power_w
    return setpoint.power_w if isinstance(setpoint, PowerLimit) else _highest_w(profile)


def _highest_w(profile: Profile) -> int:
    return max([profile.idle_power_w, *(point.power_w for point in profile.points)])


def _protect(plan: Plan, limits: Limits, now_ms: int) -> None:
    miner = plan.miner
    held = miner.held_until_ms is not None and now_ms < miner.held_until_ms
    lasted_ms = None if miner.since_ms is None else now_ms - miner.since_ms
    if held:
        plan.no_start = Reason.HELD
    elif plan.level == 0 and lasted_ms is not None and lasted_ms < limits.min_off_ms:
        plan.no_start = Reason.MIN_OFF
    if miner.must_run:
        plan.guard = Guard.MUST_RUN
    elif held:
        plan.guard = Guard.HELD
    elif lasted_ms is not None and lasted_ms < limits.min_on_ms:
        plan.guard = Guard.MIN_ON
