"""Carries out commands on the site's devices; the same actuator as every decision uses."""

from collections.abc import Mapping
from typing import Any

from agent.buffer.errors import StorageError
from agent.clock import Clock
from agent.commands.executor import Outcome as CommandOutcome
from agent.database import Database
from agent.site import intents
from agent.site.actuator import Actuator
from agent.site.fleet import Fleet, Unit
from agent.site.intents import IntentState, Order, Outcome, action_energises
from agent.site.recovery import Recovery
from firmware_bridges.capabilities import MinerCapabilities, PlantCapabilities
from shared.measured import Scalar, Unknown
from shared.messages.actions import (
    Action,
    Comparison,
    Condition,
    Reboot,
    SetSetpoint,
    SwitchOutlet,
)
from shared.messages.command import Command
from shared.messages.reply import ReplyState

_EXPIRY_MS = 86_400_000  # whether it is too late is judged by `agent.commands` already
_REPLIES = {
    IntentState.DONE: ReplyState.DONE,
    IntentState.FAILED: ReplyState.FAILED,
    IntentState.UNVERIFIED: ReplyState.UNVERIFIED,
    IntentState.ABANDONED: ReplyState.REFUSED,
}


class SiteExecutor:
    """See `agent.commands.executor.Executor`."""

    def __init__(
        self,
        fleet: Fleet,
        actuator: Actuator,
        recovery: Recovery,
        database: Database,
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._actuator = actuator
        self._recovery = recovery
        self._database = database
        self._clock = clock

    def why_not(self, command: Command) -> str | None:
        """Why the command must not be carried out now: device, capability, lock, precondition."""
        action = command.action
        if not isinstance(action, SetSetpoint | Reboot | SwitchOutlet):
            return f"a site does not carry out {action.name}"
        unit = self._fleet.units.get(action.device)
        if unit is None:
            return f"there is no device {action.device!r} on this site"
        why_not = _why_not_able(unit, action)
        if why_not is not None:
            return why_not
        if action_energises(action):
            locked = sorted(self._lockable(unit, action) & self._fleet.locked)
            if locked:
                return f"{', '.join(locked)} is locked out on site"
        for condition in command.precondition:
            why_not = _why_not_holds(condition, self._values_of(condition.device))
            if why_not is not None:
                return why_not
        return None

    async def carry_out(self, command_id: str, action: Action) -> CommandOutcome:
        """Writes the intent, acts, reads back."""
        order = self._order(command_id, action)
        try:
            (write,) = await self._actuator.submit([order])
        except StorageError as error:
            return CommandOutcome(ReplyState.FAILED, "storage", f"no intent was written: {error}")
        return reply_of(await write.outcome)

    async def recover(self, command_id: str, action: Action) -> CommandOutcome:
        """Ends a command that a crash cut off."""
        cause = _cause(command_id)
        found = await self._database.read(lambda conn: intents.newest_of_cause(conn, cause))
        if found is None:
            return await self.carry_out(command_id, action)
        intent, detail = found
        if intent.state in _REPLIES:
            return CommandOutcome(_REPLIES[intent.state], _problem(intent.state), detail)
        return reply_of(await self._recovery.end(intent, self._order(command_id, action)))

    def _order(self, command_id: str, action: Action) -> Order:
        if not isinstance(action, SetSetpoint | Reboot | SwitchOutlet):
            raise TypeError(f"a site does not carry out {action.name}")
        now_ms = self._clock.now_ms()
        hold_ms = action.hold_ms if isinstance(action, SetSetpoint) else 0
        unit = self._fleet.units[action.device]
        return Order(
            action,
            cause=_cause(command_id),
            expires_ms=now_ms + _EXPIRY_MS,
            locked_by=self._lockable(unit, action),
            held_until_ms=now_ms + hold_ms if hold_ms else None,
        )

    def _lockable(self, unit: Unit, action: intents.DeviceAction) -> frozenset[str]:
        outlet = action.outlet if isinstance(action, SwitchOutlet) else None
        return self._fleet.lockable(unit, outlet)

    def _values_of(self, device: str) -> Mapping[str, Scalar | Unknown]:
        unit = self._fleet.units.get(device)
        return {} if unit is None or not self._fleet.fresh(unit) else unit.values


def reply_of(outcome: Outcome) -> CommandOutcome:
    """A write's end as the reply says it."""
    problem = outcome.problem or _problem(outcome.state)
    return CommandOutcome(_REPLIES[outcome.state], problem, outcome.text, outcome.readback)


def _problem(state: IntentState) -> str:
    return "" if state is IntentState.DONE else state.value


def _cause(command_id: str) -> str:
    return f"command: {command_id}"


def _why_not_able(unit: Unit, action: intents.DeviceAction) -> str | None:
    found = unit.capabilities
    match action:
        case SetSetpoint(_, setpoint):
            if not unit.is_miner:
                return f"a {unit.config.kind} takes no setpoint"
            return found.why_not(setpoint) if isinstance(found, MinerCapabilities) else None
        case Reboot():
            if not unit.is_miner:
                return f"a {unit.config.kind} cannot be rebooted"
            if isinstance(found, MinerCapabilities) and not found.reboot:
                return "this device cannot be rebooted by command"
        case SwitchOutlet(_, outlet, _):
            if unit.is_miner:
                return "a miner has no outlets"
            if isinstance(found, PlantCapabilities) and outlet not in found.outlets:
                return f"no outlet {outlet}; it has {len(found.outlets)}"
    return None


def _why_not_holds(condition: Condition, values: Mapping[str, Scalar | Unknown]) -> str | None:
    """Why a precondition does not hold; unknown never holds."""
    value: Any = values.get(condition.metric)
    what = f"{condition.device} {condition.metric}"
    if value is None or isinstance(value, Unknown):
        return f"{what} is not known"
    wanted: Any = condition.value
    alike = isinstance(value, bool) == isinstance(wanted, bool)
    alike = alike and isinstance(value, str) == isinstance(wanted, str)
    match condition.comparison:
        case Comparison.EQUAL:
            holds = alike and value == wanted
        case Comparison.AT_LEAST:
            holds = alike and not isinstance(value, bool) and value >= wanted
        case Comparison.AT_MOST:
            holds = alike and not isinstance(value, bool) and value <= wanted
    return None if holds else f"{what} is {value!r}, not {condition.comparison.value} {wanted!r}"
