"""Runs the curtailment decision: gathers the situation, records the decision, has it carried out.

It decides at each new price interval, when a device's state, a lock or the prices change, and at a
steady pace besides. What one decision may ramp is what one price interval may: decisions within an
interval share its budget. A decision that moves nothing is recorded once an interval and price.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from agent.buffer import rows
from agent.clock import Clock
from agent.database import Database, StorageError
from agent.site import device_memory
from agent.site.actuator import Actuator
from agent.site.collect import alarm_events
from agent.site.config import SITE_DEVICE, CurtailmentConfig
from agent.site.curtailment import decide
from agent.site.figures import Figures
from agent.site.fleet import Fleet, Unit
from agent.site.intents import IntentState, Order, Outcome
from agent.site.market_feed import Market
from agent.site.observation import AlarmCode
from agent.site.situation import Assignment, Basis, Decision, Limits, Situation, from_micro
from shared.messages.actions import SetSetpoint
from shared.messages.event import Event, EventKind, Severity
from shared.price.forecast import Forecast, NoForecast
from shared.price.market import INTERVAL_MS, MarketHistory
from shared.setpoints import Stop, setpoint_to_data

log = structlog.get_logger(__name__)

_MOST_ASSIGNMENTS = 400
_MOST_NAMES = 1_000
"""Both with names of full length still fit one event (`shared.messages.event.MAX_BODY`)."""

_SAFE = frozenset({Basis.SAFE_MODE_NO_PRICE, Basis.SAFE_MODE_STALE})
_TEXTS = {
    Basis.FORECAST: "forecast",
    Basis.KNOWN_AND_FORECAST: "known price and forecast",
    Basis.LAST_PRICE: "last known price, no forecast",
    Basis.SAFE_MODE_STALE: "safe mode: prices are stale",
    Basis.SAFE_MODE_NO_PRICE: "safe mode: no price known",
}


class Forecaster(Protocol):
    """`agent.inference.price.PriceForecaster` is one."""

    def forecast(self, history: MarketHistory, now_ms: int) -> Forecast | NoForecast:
        """Quantiles of the coming prices, or why there are none."""
        ...


@dataclass(slots=True)
class _Interval:
    """What has been ramped and recorded within the price interval that began at `start_ms`."""

    start_ms: int = -1
    up_w: int = 0
    down_w: int = 0
    recorded: tuple[Basis, object] | None = None


class Curtailer:
    """See the module. `market` gives what is known of the prices."""

    def __init__(
        self,
        config: CurtailmentConfig,
        limits: Limits,
        fleet: Fleet,
        actuator: Actuator,
        market: Callable[[], Market],
        forecaster: Forecaster,
        tools: "Tools",
    ) -> None:
        self._config = config
        self._limits = limits
        self._fleet = fleet
        self._actuator = actuator
        self._market = market
        self._forecaster = forecaster
        self._tools = tools
        self._nudged = asyncio.Event()
        self._interval = _Interval()
        self._forecast: tuple[Market, int, Forecast | NoForecast] | None = None
        self._watching: set[asyncio.Task[None]] = set()
        self.alarms: frozenset[AlarmCode] = frozenset()
        self.last: Decision | None = None

    def nudge(self) -> None:
        """Asks for a decision soon."""
        self._nudged.set()

    async def run(self) -> None:
        """Decides until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._config.evaluate_s):
                    await self._nudged.wait()
            except TimeoutError:
                pass  # the steady pace
            self._nudged.clear()
            try:
                await self.evaluate()
            except StorageError as error:
                log.warning("nothing is switched: no intent can be written", error=str(error))

    async def evaluate(self) -> Decision:
        """One decision, carried out as far as the devices have answered.

        Raises `StorageError` when it cannot be written down: then nothing is switched.
        """
        await self._actuator.refresh_locks()
        now_ms = self._tools.clock.now_ms()
        interval = self._in_interval(now_ms)
        situation = self._situation(now_ms, interval)
        begun_s = time.perf_counter()
        decision = decide(situation, now_ms)
        self._tools.figures.decision.observe(time.perf_counter() - begun_s)
        self.last = decision
        await self._tell_stale(decision, now_ms)
        rests_on = (decision.basis, decision.inputs["last_price_start_ms"])
        if decision.changes:
            await self._carry_out(decision, interval, now_ms)
        elif interval.recorded != rests_on:
            body = decision_events(decision)[0].encode()
            await self._tools.database.write(lambda conn: rows.insert_event(conn, now_ms, body))
        if decision.changes or interval.recorded != rests_on:
            self._tools.on_decision(decision, now_ms)
        interval.recorded = rests_on
        return decision

    def _in_interval(self, now_ms: int) -> _Interval:
        start_ms = now_ms - now_ms % INTERVAL_MS
        if start_ms != self._interval.start_ms:
            self._interval = _Interval(start_ms)
        return self._interval

    def _situation(self, now_ms: int, interval: _Interval) -> Situation:
        market = self._market()
        known = self._forecast
        if known is None or known[0] is not market or known[1] != interval.start_ms:
            forecast = self._forecaster.forecast(market.history, now_ms)
            known = self._forecast = (market, interval.start_ms, forecast)
        limits = replace(
            self._limits,
            ramp_up_w=_left(self._limits.ramp_up_w, interval.up_w),
            ramp_down_w=_left(self._limits.ramp_down_w, interval.down_w),
        )
        return Situation(
            self._fleet.miner_states(),
            market.last_price(now_ms),
            known[2],
            self._config.earnings,
            limits,
        )

    async def _carry_out(self, decision: Decision, interval: _Interval, now_ms: int) -> None:
        orders = [self._order(change, now_ms) for change in decision.changes]
        writes = await self._actuator.submit(orders, decision_events(decision))
        _count_ramps(interval, decision, self._fleet)
        for write in writes:
            watcher = asyncio.create_task(self._count(write.order, write.outcome))
            self._watching.add(watcher)
            watcher.add_done_callback(self._watching.discard)
        await asyncio.gather(*(write.applied.wait() for write in writes))

    def _order(self, change: Assignment, now_ms: int) -> Order:
        unit = self._fleet.units[change.miner]
        if change.setpoint is None:
            raise ValueError(f"{change.miner} is to change to no setpoint")
        return Order(
            SetSetpoint(change.miner, change.setpoint),
            cause=f"decision: {change.reason.value}",
            expires_ms=now_ms + INTERVAL_MS,
            locked_by=self._fleet.lockable(unit),
        )

    async def _count(self, order: Order, outcome: "asyncio.Task[Outcome]") -> None:
        await asyncio.wait({outcome})
        stop = isinstance(order.action, SetSetpoint) and isinstance(order.action.setpoint, Stop)
        if stop and not outcome.cancelled() and outcome.exception() is None:
            self._tools.figures.curtailments.inc(outcome.result().state is IntentState.DONE)

    async def _tell_stale(self, decision: Decision, now_ms: int) -> None:
        raised = {AlarmCode.PRICE_STALE: decision.detail} if decision.basis in _SAFE else {}
        events = alarm_events(None, self.alarms, raised)
        if not events:
            return
        codes = frozenset(raised)

        def record(connection: sqlite3.Connection) -> None:
            for event in events:
                rows.insert_event(connection, now_ms, event.encode())
            device_memory.keep_alarms(connection, SITE_DEVICE, codes, now_ms)

        await self._tools.database.write(record)
        self.alarms = codes


@dataclass(frozen=True, slots=True)
class Tools:
    """What a runner needs beside its subject."""

    database: Database
    clock: Clock
    figures: Figures
    on_decision: Callable[[Decision, int], None]


def decision_events(decision: Decision) -> list[Event]:
    """A decision as events: what moves with its reason, the rest by reason, and the inputs.

    One event, or several of `parts` where more moves than an event can hold. Which miners stay for
    which reason is told by name, on large sites by count.
    """
    kept: dict[str, list[str]] = {}
    for assignment in decision.assignments:
        if not assignment.changes:
            kept.setdefault(assignment.reason.value, []).append(assignment.miner)
    data: dict[str, Any] = {
        "detail": decision.detail,
        "inputs": dict(decision.inputs),
        "kept": {reason: len(names) for reason, names in kept.items()},
        "power_after_w": decision.power_after_w,
        "power_before_w": decision.power_before_w,
        "price_usd_per_mwh": _money(decision.price_uusd_per_mwh),
        "reason": decision.basis.value,
        "summary": summary(decision),
    }
    if sum(map(len, kept.values())) <= _MOST_NAMES:
        data["kept_names"] = kept
    changes = [_assignment_data(change) for change in decision.changes]
    parts = max(1, -(-len(changes) // _MOST_ASSIGNMENTS))
    events = []
    for part in range(parts):
        own = changes[part * _MOST_ASSIGNMENTS : (part + 1) * _MOST_ASSIGNMENTS]
        told = data if part == 0 else {key: data[key] for key in ("reason", "summary")}
        events.append(_decision_event(decision, {**told, "assignments": own}, part + 1, parts))
    return events


def _decision_event(decision: Decision, data: dict[str, Any], part: int, parts: int) -> Event:
    if parts > 1:
        data |= {"part": part, "parts": parts}
    severity = Severity.WARNING if decision.basis in _SAFE else Severity.INFO
    return Event(EventKind.DECISION, severity, data)


def summary(decision: Decision) -> str:
    """A line for people."""
    price = _money(decision.price_uusd_per_mwh)
    at = "" if price is None else f" {price} USD/MWh"
    moves: Counter[str] = Counter()
    for change in decision.changes:
        what = "stop" if isinstance(change.setpoint, Stop) else "run"
        moves[f"{what} ({change.reason.value})"] += 1
    moved = ", ".join(f"{count} {what}" for what, count in sorted(moves.items())) or "no change"
    power = f"{decision.power_before_w / 1000:.1f} to {decision.power_after_w / 1000:.1f} kW"
    return f"{_TEXTS[decision.basis]}{at}: {moved}; {power}"


def _assignment_data(change: Assignment) -> dict[str, Any]:
    return {
        "breakeven_usd_per_mwh": _money(change.breakeven_uusd_per_mwh),
        "device": change.miner,
        "reason": change.reason.value,
        "setpoint": None if change.setpoint is None else setpoint_to_data(change.setpoint),
        "threshold_usd_per_mwh": _money(change.threshold_uusd_per_mwh),
    }


def _money(micro_usd: int | None) -> str | None:
    return None if micro_usd is None else f"{from_micro(micro_usd):.4f}"


def _left(bound_w: int | None, used_w: int) -> int | None:
    return None if bound_w is None else max(0, bound_w - used_w)


def _count_ramps(interval: _Interval, decision: Decision, fleet: Fleet) -> None:
    """Adds what the decision moves to the interval's budget, by what setpoints draw."""
    for change in decision.changes:
        moved_w = _moved_w(fleet.units[change.miner], change)
        interval.up_w += max(0, moved_w)
        interval.down_w += max(0, -moved_w)


def _moved_w(unit: Unit, change: Assignment) -> int:
    drawn = {point.setpoint: point.power_w for point in unit.profile.points}
    idle_w = unit.profile.idle_power_w
    highest_w = max([idle_w, *drawn.values()])
    before_w = highest_w if unit.told is None else _drawn_w(drawn, unit.told, idle_w, highest_w)
    if change.setpoint is None:
        return 0
    return _drawn_w(drawn, change.setpoint, idle_w, highest_w) - before_w


def _drawn_w(drawn: dict[Any, int], setpoint: Any, idle_w: int, highest_w: int) -> int:
    return idle_w if isinstance(setpoint, Stop) else drawn.get(setpoint, highest_w)


def raised_site_alarms(connection: sqlite3.Connection) -> frozenset[AlarmCode]:
    """The site's alarms that an earlier life of the agent left raised."""
    return device_memory.alarms(connection).get(SITE_DEVICE, frozenset())
