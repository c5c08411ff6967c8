"""Reads a device back after a write until it shows it, or its time to settle is over."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.clock import Clock
from agent.site.config import CurtailmentConfig
from agent.site.fleet import Fleet, Unit, point_power_w
from agent.site.intents import DeviceAction, IntentState, Outcome
from agent.site.verify import Evidence, Expectation, SharedMeter, Verdict, verify
from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.readings import PlantReading
from shared.measured import Unknown, known
from shared.messages.actions import Reboot, SetSetpoint, SwitchOutlet
from shared.setpoints import PowerLimit, Setpoint

_READBACK = (
    "mining",
    "hashrate_ths",
    "miner_power_w",
    "power_limit_w",
    "preset",
    "power_w",
    "power_source",
    "uptime_s",
)
SUPERSEDED = "superseded"
_PLANT_SETTLE_S = 10.0
_REBOOT_SETTLE_S = 300.0
_MOST_PAUSE_S = 5.0
_LEAST_PAUSE_S = 0.2
_SLACK_S = 5


@dataclass(slots=True)
class Awaited:
    """What is awaited of one write; times are real seconds, `number` counts the unit's writes."""

    action: DeviceAction
    begun_s: float
    settle_s: float
    expected: Expectation | None
    number: int = 0
    uptime_before_s: int | None = None
    shared_meter: str | None = None

    @property
    def change_w(self) -> float | None:
        """By how much the power should change; None where that is not known."""
        if self.expected is None or self.expected.before_w is None:
            return None
        if self.expected.after_w is None:
            return None
        return self.expected.after_w - self.expected.before_w


@dataclass(slots=True)
class Batch:
    """What was written together: each shared meter's power before, and the change expected."""

    before_w: dict[str, float] = field(default_factory=dict)
    change_w: dict[str, float] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def add(self, unit: Unit, awaited: Awaited) -> None:
        """Counts a write that the device took."""
        meter = awaited.shared_meter
        if meter is None or meter != unit.config.meter:
            return
        if awaited.change_w is None:
            self.unknown.add(meter)
        else:
            self.change_w[meter] = self.change_w.get(meter, 0.0) + awaited.change_w


class Followup:
    """Knows what to expect of a write and how to look for it."""

    def __init__(self, fleet: Fleet, clock: Clock, config: CurtailmentConfig | None) -> None:
        self._fleet = fleet
        self._clock = clock
        self._settle_s = None if config is None else config.settle_s
        self._tolerance = 0.2 if config is None else config.tolerance
        self.writes_at_once = 32 if config is None else config.writes_at_once

    def batch(self, devices: Sequence[str]) -> Batch:
        """The shared meters as they stand before these devices are written."""
        batch = Batch()
        for name in devices:
            meter = self._shared_meter(self._fleet.units[name])
            if meter is not None and meter not in batch.before_w:
                power_w = known(self._fleet.meter_power(meter))
                if power_w is not None:
                    batch.before_w[meter] = power_w
        return batch

    def expect(self, unit: Unit, action: DeviceAction) -> Awaited:
        """What a write that is about to be sent should lead to."""
        now_s = self._clock.monotonic_s()
        match action:
            case SetSetpoint(_, setpoint):
                return Awaited(
                    action,
                    now_s,
                    self._settle_of(unit),
                    self._expectation(unit, setpoint),
                    shared_meter=self._shared_meter(unit),
                )
            case Reboot():
                reading = unit.miner_reading
                uptime_s = None if reading is None else known(reading.uptime_s)
                settle_s = max(_REBOOT_SETTLE_S, self._settle_of(unit))
                if self._settle_s is not None:
                    settle_s = self._settle_s
                return Awaited(action, now_s, settle_s, None, uptime_before_s=uptime_s)
            case SwitchOutlet():
                return Awaited(action, now_s, _PLANT_SETTLE_S, None)

    async def read_back(self, unit: Unit, awaited: Awaited, batch: Batch) -> Outcome:
        """Polls the device (and what measures it) until the write shows or its time is over."""
        began_s = self._clock.monotonic_s()
        pause_s = min(_MOST_PAUSE_S, max(_LEAST_PAUSE_S, awaited.settle_s / 20))
        while True:
            left_s = began_s + awaited.settle_s - self._clock.monotonic_s()
            self._look_at_meters(unit)
            await unit.polled(max(left_s, pause_s))
            left_s = began_s + awaited.settle_s - self._clock.monotonic_s()
            if unit.writes != awaited.number:
                text = "another write came before this one had shown"
                return Outcome(IntentState.UNVERIFIED, SUPERSEDED, text, readback(unit))
            verdict, missing = self._judge(unit, awaited, batch, timed_out=left_s <= 0)
            if verdict is Verdict.DONE:
                return Outcome(IntentState.DONE, readback=readback(unit))
            if verdict is Verdict.UNVERIFIED:
                return Outcome(
                    IntentState.UNVERIFIED, "not_followed", missing[:300], readback(unit)
                )
            await asyncio.sleep(min(pause_s, max(left_s, 0.0)))

    def shows(self, unit: Unit, action: DeviceAction) -> bool:
        """Whether the present readings show an action's effect; for after a crash."""
        awaited = self.expect(unit, action)
        awaited.begun_s = unit.read_begun_s
        verdict, _ = self._judge(unit, awaited, Batch(), timed_out=True)
        return unit.failures == 0 and verdict is Verdict.DONE

    def _judge(
        self, unit: Unit, awaited: Awaited, batch: Batch, *, timed_out: bool
    ) -> tuple[Verdict, str]:
        late = Verdict.UNVERIFIED if timed_out else Verdict.WAIT
        since = unit.failures == 0 and unit.read_begun_s >= awaited.begun_s
        match awaited.action:
            case SetSetpoint():
                return self._judge_setpoint(unit, awaited, batch, timed_out=timed_out)
            case SwitchOutlet(_, number, closed):
                if not since or not isinstance(unit.reading, PlantReading):
                    return late, "the device could not be read after the write"
                outlet = next((o for o in unit.reading.outlets if o.index == number), None)
                if outlet is None or isinstance(outlet.closed, Unknown):
                    return late, f"it does not tell the state of outlet {number}"
                if outlet.closed is closed:
                    return Verdict.DONE, ""
                return late, f"outlet {number} is {'closed' if outlet.closed else 'open'}"
            case Reboot():
                reading = unit.miner_reading
                uptime_s = None if reading is None or not since else known(reading.uptime_s)
                if uptime_s is None:
                    return late, "its uptime could not be read after the reboot"
                passed_s = self._clock.monotonic_s() - awaited.begun_s
                before_s = awaited.uptime_before_s
                restarted = uptime_s <= passed_s + _SLACK_S or (
                    before_s is not None and uptime_s < before_s
                )
                return (Verdict.DONE, "") if restarted else (late, "its uptime shows no restart")

    def _judge_setpoint(
        self, unit: Unit, awaited: Awaited, batch: Batch, *, timed_out: bool
    ) -> tuple[Verdict, str]:
        if awaited.expected is None:
            raise ValueError("a setpoint without an expectation")
        since = unit.failures == 0 and unit.read_begun_s >= awaited.begun_s
        power_w, source = self._fleet.power(unit)
        if source == "pdu" and unit.config.outlet_place is not None:
            switch = self._fleet.units[unit.config.outlet_place[0]]
            if switch.read_begun_s < awaited.begun_s:
                power_w = switch.problem_or_stale()
        if source == "meter" and unit.config.meter is not None:
            power_w = self._fleet.meter_power(unit.config.meter, awaited.begun_s)
        if source == "nameplate":
            power_w = unit.problem_or_stale()  # a plate says nothing about what is drawn
        return verify(
            awaited.expected,
            Evidence(
                reading=unit.miner_reading if since else None,
                power_w=power_w,
                power_source=source,
                shared=self._shared(awaited, batch),
                timed_out=timed_out,
            ),
        )

    def _shared(self, awaited: Awaited, batch: Batch) -> SharedMeter | None:
        meter = awaited.shared_meter
        if meter is None or meter in batch.unknown or meter not in batch.before_w:
            return None
        return SharedMeter(
            batch.before_w[meter],
            self._fleet.meter_power(meter, awaited.begun_s),
            batch.change_w.get(meter, 0.0),
        )

    def _expectation(self, unit: Unit, setpoint: Setpoint) -> Expectation:
        measured = known(self._fleet.power(unit)[0])
        before_w = measured
        if measured is None and unit.told is not None:
            before_w = _rated_w(unit, unit.told)
        return Expectation(
            setpoint=setpoint,
            before_w=before_w,
            after_w=_rated_w(unit, setpoint),
            idle_w=float(unit.config.idle_power_w),
            tolerance=self._tolerance,
        )

    def _settle_of(self, unit: Unit) -> float:
        if self._settle_s is not None:
            return self._settle_s
        found = unit.capabilities
        return found.settle_s if isinstance(found, MinerCapabilities) else 60.0

    def _shared_meter(self, unit: Unit) -> str | None:
        meter = unit.config.meter
        if meter is None or len(self._fleet.by_meter[meter]) == 1:
            return None
        return meter

    def _look_at_meters(self, unit: Unit) -> None:
        if unit.config.meter is not None:
            self._fleet.units[unit.config.meter].poll_now.set()
        if unit.config.outlet_place is not None:
            self._fleet.units[unit.config.outlet_place[0]].poll_now.set()


def readback(unit: Unit) -> Mapping[str, Any]:
    """What was read last, of the metrics that show a write; None where it is unknown."""
    names = [name for name in _READBACK if name in unit.values]
    names += [name for name in unit.values if name.startswith("outlet.")][:40]
    return {name: known(unit.values[name]) for name in names}


def _rated_w(unit: Unit, setpoint: Setpoint) -> float | None:
    drawn_w = point_power_w(unit, setpoint)
    if drawn_w is not None:
        return float(drawn_w)
    return float(setpoint.power_w) if isinstance(setpoint, PowerLimit) else None
