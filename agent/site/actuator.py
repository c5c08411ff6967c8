"""The only way to a device write: written down, checked at the last moment, applied, read back.

The accidents this prevents: switching twice after a crash (every write has an intent first),
energising what a person has locked out (the intent is only written where there is no lock, and is
looked at once more when the device's turn comes), and believing a device that says yes and does
nothing (a write is done when the readings show it, see `verify`).
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from agent.clock import Clock
from agent.database import Database, StorageError
from agent.recorder import Recorder
from agent.site import device_memory, intents
from agent.site.figures import Figures
from agent.site.fleet import Fleet, Unit
from agent.site.followup import SUPERSEDED, Awaited, Batch, Followup
from agent.site.intents import Intent, IntentState, Order, Outcome
from agent.site.lockout import Lockout, devices_of, lockouts
from firmware_bridges.errors import DeviceError, DeviceRefusedError, NotSupportedError
from firmware_bridges.protocol import Miner, PlantDevice
from shared.messages.actions import Reboot, SetSetpoint, SwitchOutlet
from shared.messages.event import Event
from shared.price.market import INTERVAL_MS
from shared.setpoints import Stop

log = structlog.get_logger(__name__)

_WRITE_DEADLINE_S = 60.0
"""Above every driver's own deadline: how long one that breaks its contract may hang."""


@dataclass(slots=True)
class Write:
    """A write under way: `applied` is set once the device answered or it came to nothing."""

    order: Order
    applied: asyncio.Event
    outcome: asyncio.Task[Outcome]


class Actuator:
    """Writes to devices, one write a device at a time."""

    def __init__(
        self,
        fleet: Fleet,
        database: Database,
        recorder: Recorder,
        clock: Clock,
        followup: Followup,
        figures: Figures,
    ) -> None:
        self._fleet = fleet
        self._database = database
        self._recorder = recorder
        self._clock = clock
        self._followup = followup
        self._figures = figures
        self._turns = asyncio.Semaphore(followup.writes_at_once)
        self._tasks: set[asyncio.Task[Outcome]] = set()

    async def refresh_locks(self) -> tuple[Lockout, ...]:
        """Reads the locks; they may be set by another process on this host."""
        found = await self._database.read(lockouts)
        self._fleet.locked = devices_of(found)
        return found

    async def submit(self, orders: Sequence[Order], events: Sequence[Event] = ()) -> list[Write]:
        """Writes down the intents (and events with them), then begins the writes.

        Raises `StorageError` when nothing could be written down: then nothing is switched.
        """
        now_ms = self._clock.now_ms()

        def begin(connection: sqlite3.Connection) -> list[Intent | Outcome]:
            for event in events:
                self._recorder.event_in(connection, event, now_ms)
            return intents.begin(connection, orders, now_ms)

        begun = await self._database.write(begin)
        batch = self._followup.batch([order.action.device for order in orders])
        writes = []
        for order, intent in zip(orders, begun, strict=True):
            if order.held_until_ms is not None and isinstance(intent, Intent):
                self._fleet.units[order.action.device].held_until_ms = order.held_until_ms
            writes.append(self._start(order, intent, batch))
        return writes

    def resume(self, intent: Intent, order: Order) -> Write:
        """Carries on with an intent that an earlier life of the agent wrote down."""
        return self._start(order, intent, self._followup.batch([order.action.device]))

    async def finish(self, intent: Intent, outcome: Outcome) -> None:
        """Ends an intent and tells of it."""
        now_ms = self._clock.now_ms()
        await self._database.write(
            lambda connection: intents.finish(connection, intent, outcome, now_ms)
        )
        self._figures.writes.labels(outcome.state.value).inc()

    async def stop_unrecorded(self, unit: Unit) -> None:
        """Stops a miner without an intent, for making safe when nothing can be written down.

        Raises `DeviceError`, or `TimeoutError` when the driver hangs.
        """
        async with self._turns, unit.lock, asyncio.timeout(_WRITE_DEADLINE_S):
            await _send(unit, SetSetpoint(unit.name, Stop()))

    async def close(self) -> None:
        """Cuts off what is under way; the next start takes it up."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, order: Order, intent: Intent | Outcome, batch: Batch) -> Write:
        applied = asyncio.Event()
        task = asyncio.create_task(self._carry_out(order, intent, batch, applied))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Write(order, applied, task)

    async def _carry_out(
        self, order: Order, intent: Intent | Outcome, batch: Batch, applied: asyncio.Event
    ) -> Outcome:
        try:
            if isinstance(intent, Outcome):
                return intent
            unit = self._fleet.units[order.action.device]
            unit.settling += 1
            try:
                outcome = await self._write(unit, order, intent, batch, applied)
            finally:
                unit.settling -= 1
            await self._insist(lambda: self.finish(intent, outcome))
            return outcome
        finally:
            applied.set()

    async def _write(
        self, unit: Unit, order: Order, intent: Intent, batch: Batch, applied: asyncio.Event
    ) -> Outcome:
        awaited = self._followup.expect(unit, order.action)
        refusal, doubt = await self._apply(unit, order, awaited)
        if refusal is not None:
            self._retry_later(unit, refusal)
            return refusal
        if doubt:
            self._retry_later(unit, None)
        else:
            await self._insist(lambda: self._note(unit, intent))
            batch.add(unit, awaited)
        applied.set()
        outcome = await self._followup.read_back(unit, awaited, batch)
        if outcome.problem == SUPERSEDED:
            return outcome
        if outcome.state is IntentState.DONE:
            unit.unfollowed = unit.retry_ms = None
            if doubt:
                self._follow(unit, order)
                await self._insist(lambda: self._note(unit, intent))
            return outcome
        self._retry_later(unit, outcome)
        text = (doubt or outcome.text)[:300]
        unit.unfollowed = (order.action, text)
        return replace(outcome, text=text)

    async def _apply(
        self, unit: Unit, order: Order, awaited: Awaited
    ) -> tuple[Outcome | None, str]:
        """Sends the write; its end if it was not taken, else why its effect is in doubt ("")."""
        async with self._turns, unit.lock:
            why_not = await self._why_not_now(order)
            if why_not is not None:
                return why_not, ""
            unit.writes += 1
            awaited.number, awaited.begun_s = unit.writes, self._clock.monotonic_s()
            try:
                async with asyncio.timeout(_WRITE_DEADLINE_S):
                    await _send(unit, order.action)
            except (DeviceRefusedError, NotSupportedError) as error:
                return Outcome(IntentState.FAILED, "device_refused", str(error)[:300]), ""
            except DeviceError as error:
                return None, f"no clear answer to the write: {error}"[:300]
            except TimeoutError:
                return None, f"no answer to the write within {_WRITE_DEADLINE_S:g} s"
            self._follow(unit, order)
        return None, ""

    def _retry_later(self, unit: Unit, outcome: Outcome | None) -> None:
        """The next decision leaves the miner alone until the next price interval."""
        if outcome is None or outcome.state in {IntentState.FAILED, IntentState.UNVERIFIED}:
            now_ms = self._clock.now_ms()
            unit.retry_ms = now_ms - now_ms % INTERVAL_MS + INTERVAL_MS

    def _follow(self, unit: Unit, order: Order) -> None:
        """What the device took is what it is taken to follow from now on."""
        if not isinstance(order.action, SetSetpoint):
            return
        setpoint = order.action.setpoint
        if unit.told is None or isinstance(setpoint, Stop) != isinstance(unit.told, Stop):
            unit.since_ms = self._clock.now_ms()
        unit.told, unit.cause = setpoint, order.cause

    async def _why_not_now(self, order: Order) -> Outcome | None:
        """The last look before the wire: still wanted, and not locked out."""
        if self._clock.now_ms() > order.expires_ms:
            return Outcome(IntentState.ABANDONED, "expired", "its time had passed before its turn")
        if not order.energises:
            return None
        for lock in await self.refresh_locks():
            if lock.device in order.locked_by:
                return Outcome(IntentState.ABANDONED, "locked_out", str(lock))
        return None

    async def _note(self, unit: Unit, intent: Intent) -> None:
        now_ms = self._clock.now_ms()
        memory = device_memory.memory_of(unit)

        def note(connection: sqlite3.Connection) -> None:
            intents.applied(connection, intent, now_ms)
            device_memory.keep(connection, memory)

        await self._database.write(note)

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """The device has been written to: what came of it must be written down, however late."""
        while True:
            try:
                return await write()
            except StorageError as error:
                log.warning("an outcome waits for the storage", error=str(error))
                await asyncio.sleep(2.0)


async def _send(unit: Unit, action: intents.DeviceAction) -> None:
    match action, unit.link:
        case SetSetpoint(_, setpoint), Miner() as miner:
            await miner.apply(setpoint)
        case Reboot(), Miner() as miner:
            await miner.reboot()
        case SwitchOutlet(_, outlet, closed), PlantDevice() as plant:
            await plant.switch(outlet, closed=closed)
        case _:
            raise NotSupportedError(f"a {unit.config.kind} takes no {action.name}")
