"""Reads every device in its own time and records what it said.

One coordinator a device, with its own deadline and back-off: a device that hangs delays nobody. The
first poll comes at a phase of the interval that the device's name gives, so that many devices
spread over it.
"""

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Sequence

import structlog

from agent.buffer import rows
from agent.clock import Clock
from agent.database import Database, StorageError
from agent.recorder import Recorder
from agent.site import device_memory
from agent.site.config import CollectConfig
from agent.site.figures import Figures
from agent.site.fleet import Fleet, Unit
from agent.site.intents import DeviceAction
from agent.site.observation import AlarmCode, DeviceState, alarms_of, followed_setpoint
from agent.site.snapshot import device_values
from firmware_bridges.errors import DeviceError, DeviceTimeoutError
from firmware_bridges.readings import MinerReading, PlantReading
from shared.measured import known
from shared.messages.event import Event, EventKind, Severity
from shared.setpoints import Stop

log = structlog.get_logger(__name__)

_MOST_DOUBLINGS = 10
_CRITICAL = frozenset({AlarmCode.ENERGISED_WHILE_LOCKED})


def phase_s(name: str, interval_s: float) -> float:
    """When within the interval a device is first read; the same at every start. Pure."""
    return zlib.crc32(name.encode()) / 2**32 * interval_s


def pause_s(failures: int, config: CollectConfig) -> float:
    """From one poll's beginning to the next: doubles from the second failure in a row on. Pure."""
    if failures <= 1:
        return config.interval_s
    longest_s = max(config.interval_s, config.longest_interval_s)
    return min(longest_s, config.interval_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


class Collector:
    """Polls devices; tells `on_change` when a device's state has changed."""

    def __init__(
        self,
        fleet: Fleet,
        config: CollectConfig,
        database: Database,
        recorder: Recorder,
        clock: Clock,
        figures: Figures,
        shows: Callable[[Unit, DeviceAction], bool],
    ) -> None:
        """`shows` tells whether a device's readings show what an action should lead to."""
        self._fleet = fleet
        self._config = config
        self._database = database
        self._recorder = recorder
        self._clock = clock
        self._figures = figures
        self._shows = shows
        self.on_change: Callable[[], None] | None = None

    async def run(self, unit: Unit) -> None:
        """One device's coordinator; runs until cancelled."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + phase_s(unit.name, self._config.interval_s)
        while True:
            asked = await self._until(unit, due_s)
            begun_s = loop.time()
            if not asked:
                self._figures.lateness.observe(max(0.0, begun_s - due_s))
            await self.poll(unit)
            if not asked:
                due_s += pause_s(unit.failures, self._config)
                if due_s < loop.time():  # longer than an interval: the missed ones are left out
                    due_s = loop.time() + self._config.interval_s

    async def poll(self, unit: Unit) -> None:
        """Reads a device once and records what came of it."""
        begun_s = self._clock.monotonic_s()
        outcome = await self._read(unit)
        now_ms = self._clock.now_ms()
        if isinstance(outcome, DeviceError):
            unit.failures += 1
            unit.problem = outcome
            if unit.failures >= self._config.offline_after:
                unit.capabilities = None  # it may come back with other firmware
            self._figures.failures.inc()
        else:
            unit.failures = 0
            unit.problem = None
            unit.reading = outcome
            unit.read_begun_s = begun_s
            unit.read_ms = now_ms
            self._figures.readings.inc()
        changed = self._infer(unit, now_ms)
        if (
            unit.unfollowed is not None
            and not unit.settling
            and self._shows(unit, unit.unfollowed[0])
        ):
            unit.unfollowed = None
        unit.wake()
        values = device_values(self._fleet, unit)
        unit.values = {metric.name: value for metric, value in values}
        await self._recorder.snapshot(unit.name, now_ms, values)
        await self._tell(unit, now_ms, changed=changed)

    async def _until(self, unit: Unit, due_s: float) -> bool:
        """Waits until a poll is due; True when somebody asked for one before."""
        try:
            async with asyncio.timeout_at(due_s):
                await unit.poll_now.wait()
        except TimeoutError:
            return False
        unit.poll_now.clear()
        return True

    async def _read(self, unit: Unit) -> MinerReading | PlantReading | DeviceError:
        unit.poll_now.clear()
        try:
            async with unit.lock, asyncio.timeout(self._config.deadline_s):
                if unit.capabilities is None:
                    unit.capabilities = await unit.link.capabilities()
                    self._fleet.use_capabilities(unit)
                return await unit.link.read()
        except TimeoutError:
            return DeviceTimeoutError(f"no reading within {self._config.deadline_s:g} s")
        except DeviceError as error:
            return error

    def _infer(self, unit: Unit, now_ms: int) -> bool:
        """What the reading says of the setpoint followed; whether that differs from before.

        While a write settles nothing is inferred: the reading may still show what was before.
        """
        reading = unit.miner_reading
        if reading is None or unit.failures or unit.settling:
            return False
        setpoints = [point.setpoint for point in unit.profile.points]
        follows = followed_setpoint(reading, unit.told, setpoints)
        if follows == unit.told:
            return False
        if isinstance(follows, Stop) != isinstance(unit.told, Stop) and unit.told is not None:
            unit.since_ms = now_ms
            unit.cause = "seen"
        unit.told = follows
        return True

    async def _tell(self, unit: Unit, now_ms: int, *, changed: bool) -> None:
        """Records a change of state and alarms raised and lowered, together with what is kept."""
        seen = self._fleet.seen(unit)
        state = self._fleet.state_of(unit)
        drawn_w = known(self._fleet.power(unit)[0]) if unit.is_miner else None
        raised = alarms_of(seen, unit.problem, drawn_w, unit.config.idle_power_w)
        if unit.unfollowed is not None:
            raised[AlarmCode.NOT_FOLLOWING] = unit.unfollowed[1]
        events = [] if state is unit.state else [_state_event(unit, state)]
        codes = frozenset(raised)
        events += alarm_events(unit.name, unit.alarms, raised)
        if not events and not changed:
            return

        memory = device_memory.memory_of(unit)

        def record(connection: sqlite3.Connection) -> None:
            for event in events:
                rows.insert_event(connection, now_ms, event.encode())
            device_memory.keep(connection, memory)
            device_memory.keep_alarms(connection, unit.name, codes, now_ms)

        try:
            await self._database.write(record)
        except StorageError as error:
            log.warning("a change could not be recorded yet", device=unit.name, error=str(error))
            return
        moved = state is not unit.state
        unit.state, unit.alarms = state, codes
        if moved and self.on_change is not None:
            self.on_change()


def _state_event(unit: Unit, state: DeviceState) -> Event:
    reason = "" if unit.problem is None else str(unit.problem)[:200]
    data = {"from": unit.state.value, "reason": reason, "to": state.value}
    bad = state is DeviceState.OFFLINE
    return Event(EventKind.DEVICE, Severity.WARNING if bad else Severity.INFO, data, unit.name)


def _alarm_event(device: str | None, code: AlarmCode, text: str | None) -> Event:
    data = {"code": code.value, "raised": text is not None, "text": text or ""}
    severity = Severity.INFO
    if text is not None:
        severity = Severity.CRITICAL if code in _CRITICAL else Severity.WARNING
    return Event(EventKind.ALARM, severity, data, device)


def alarm_events(
    device: str | None, before: frozenset[AlarmCode], now: dict[AlarmCode, str]
) -> Sequence[Event]:
    """The events between two sets of raised alarms."""
    raised = [_alarm_event(device, code, now[code]) for code in sorted(now.keys() - before)]
    lowered = [_alarm_event(device, code, None) for code in sorted(before - now.keys())]
    return [*raised, *lowered]
