"""After a crash: every write that was under way is read back, judged anew and ended.

Intents of commands are ended by their commands (`executor.recover`); the others, of decisions and
of making safe, here. A setpoint and an outlet may be told again, for that moves nothing twice; a
reboot may not.
"""

from agent.clock import Clock
from agent.site.actuator import Actuator
from agent.site.fleet import Fleet, Unit
from agent.site.followup import Followup, readback
from agent.site.intents import Intent, IntentState, Order, Outcome
from shared.messages.actions import Reboot

_READ_WITHIN_S = 30.0


class Recovery:
    """Ends intents that an earlier life of the agent left open."""

    def __init__(
        self,
        fleet: Fleet,
        actuator: Actuator,
        followup: Followup,
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._actuator = actuator
        self._followup = followup
        self._clock = clock

    async def end_unless_commanded(self, intent: Intent) -> None:
        """Ends an intent that is not a command's."""
        if not intent.cause.startswith("command: "):
            await self.end(intent, self._order_of(intent))

    async def end(self, intent: Intent, order: Order) -> Outcome:
        """Reads the device back; then ends the intent, or carries on with it."""
        unit = self._fleet.units.get(intent.action.device)
        if unit is None:
            gone = Outcome(IntentState.ABANDONED, "device_gone", "it is not configured any more")
            return await self._finish(intent, gone)
        begun_s = self._clock.monotonic_s()
        await unit.polled(_READ_WITHIN_S)
        if unit.failures or unit.read_begun_s < begun_s:
            text = "the agent was cut off at the write, and the device cannot be read since"
            return await self._finish(intent, Outcome(IntentState.UNVERIFIED, "unreadable", text))
        if self._shows(unit, intent):
            return await self._finish(intent, Outcome(IntentState.DONE, readback=readback(unit)))
        if isinstance(intent.action, Reboot) or intent.state is IntentState.APPLIED:
            text = "the agent was cut off at the write, and the device does not show it"
            outcome = Outcome(IntentState.UNVERIFIED, "not_followed", text, readback(unit))
            return await self._finish(intent, outcome)
        # The actuator looks at expiry and locks before it sends anything.
        return await self._actuator.resume(intent, order).outcome

    def _shows(self, unit: Unit, intent: Intent) -> bool:
        if not isinstance(intent.action, Reboot):
            return self._followup.shows(unit, intent.action)
        reading = unit.miner_reading
        passed_s = (self._clock.now_ms() - intent.created_ms) / 1000
        uptime_s = None if reading is None else reading.uptime_s
        return isinstance(uptime_s, int) and uptime_s <= passed_s

    async def _finish(self, intent: Intent, outcome: Outcome) -> Outcome:
        await self._actuator.finish(intent, outcome)
        return outcome

    def _order_of(self, intent: Intent) -> Order:
        unit = self._fleet.units.get(intent.action.device)
        locked_by = frozenset({intent.action.device})
        if unit is not None:
            locked_by = self._fleet.lockable(unit)
        return Order(intent.action, intent.cause, intent.expires_ms, locked_by)
