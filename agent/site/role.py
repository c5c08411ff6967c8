"""Composes role "site" and offers it to the runtime (see `agent.role.Role`)."""

import asyncio
import gc
from collections import deque
from collections.abc import Sequence
from functools import partial

import structlog

from agent.clock import Clock
from agent.database import Database, StorageError
from agent.inference.errors import ModelRefusedError
from agent.inference.loader import shipped_folder
from agent.inference.price import PriceForecaster, load_price_forecaster
from agent.recorder import DeviceDescription, Recorder
from agent.role import DecisionStatus, DeviceStatus, LockoutStatus, RoleStatus
from agent.site import device_memory, intents
from agent.site.actuator import Actuator
from agent.site.collect import Collector
from agent.site.config import SITE_DEVICE, ModelConfig, SiteSections
from agent.site.curtailer import Curtailer, Tools, raised_site_alarms, summary
from agent.site.executor import SiteExecutor
from agent.site.figures import Figures, quantile_s
from agent.site.fleet import Fleet, Unit, open_unit
from agent.site.followup import Followup
from agent.site.intents import Intent, Order
from agent.site.lockout import Lockout
from agent.site.market_feed import Market
from agent.site.prices import PriceFeed
from agent.site.recovery import Recovery
from agent.site.situation import Decision
from agent.site.snapshot import site_values
from agent.supervisor import TaskSpec
from firmware_bridges.errors import DeviceError
from shared.measured import known
from shared.messages.actions import SetSetpoint
from shared.setpoints import Stop

log = structlog.get_logger(__name__)

_STALE_INTERVALS = 3
_FIRST_READING_WITHIN_S = 60.0
_SAFE_WITHIN_S = 40.0
_SAFE_EXPIRY_MS = 600_000
_DECISIONS_SHOWN = 20
_PRUNE_S = 3_600.0


class SiteRole:
    """Everything of a site; built by `build_site`."""

    def __init__(
        self,
        config: SiteSections,
        database: Database,
        recorder: Recorder,
        clock: Clock,
        forecaster: PriceForecaster,
    ) -> None:
        self._config = config
        self._database = database
        self._recorder = recorder
        self._clock = clock
        self.figures = Figures()
        self.registry = self.figures.registry
        collect = config.collect
        stale_after_s = _STALE_INTERVALS * max(collect.interval_s, 1.0) + collect.deadline_s
        units = [open_unit(device) for device in config.devices]
        self.fleet = Fleet(units, clock, stale_after_s, collect.offline_after)
        self.followup = Followup(self.fleet, clock, config.curtailment)
        self.actuator = Actuator(self.fleet, database, recorder, clock, self.followup, self.figures)
        self.collector = Collector(
            self.fleet, collect, database, recorder, clock, self.figures, self.followup.shows
        )
        recovery = Recovery(self.fleet, self.actuator, self.followup, clock)
        self.recovery = recovery
        self.executor = SiteExecutor(self.fleet, self.actuator, recovery, database, clock)
        self.feed: PriceFeed | None = None
        if config.prices is not None:
            self.feed = PriceFeed(config.prices, database, clock, self._on_news)
        self.curtailer = self._curtailer(forecaster)
        self.collector.on_change = self._on_news
        self._locks: tuple[Lockout, ...] = ()
        self._decisions: deque[DecisionStatus] = deque(maxlen=_DECISIONS_SHOWN)
        self._left_open: tuple[Intent, ...] = ()
        self._ready = asyncio.Event()

    def tasks(self) -> Sequence[TaskSpec]:
        """One a device, then what works on all of them."""
        specs = [_coordinator(self.collector, unit) for unit in self.fleet.units.values()]
        specs.append(TaskSpec("totals", self._totals))
        specs.append(TaskSpec("intents", self._forget))
        if self.feed is not None:
            specs.append(TaskSpec("prices", self.feed.run))
        specs.append(TaskSpec("decisions", self._decide))
        return specs

    async def ready(self) -> None:
        """Returns once each device was tried, what a crash cut off is ended, or a minute passed."""
        try:
            async with asyncio.timeout(_FIRST_READING_WITHIN_S):
                await self._ready.wait()
        except TimeoutError:
            log.warning("not every device has been read yet")

    async def make_safe(self) -> None:
        """Stops every miner that is not known to be stopped, where the configuration wants it."""
        curtailment = self._config.curtailment
        await self.actuator.close()
        if curtailment is None or curtailment.on_exit == "leave":
            return
        running = [u for u in self.fleet.miners if u.controllable and u.told != Stop()]
        expires_ms = self._clock.now_ms() + _SAFE_EXPIRY_MS
        orders = [
            Order(SetSetpoint(unit.name, Stop()), "exit: stop", expires_ms) for unit in running
        ]
        try:
            writes = await self.actuator.submit(orders)
        except StorageError as error:
            log.warning("making safe without intents", error=str(error))
            await asyncio.gather(*(self._stop_unrecorded(unit) for unit in running))
            return
        waits = [asyncio.ensure_future(write.applied.wait()) for write in writes]
        # No coordinator runs any more, so nothing can be read back: the next start does.
        if waits:
            await asyncio.wait(waits, timeout=_SAFE_WITHIN_S)
        await self.actuator.close()

    async def close(self) -> None:
        """Releases the devices."""
        await self.actuator.close()
        await asyncio.gather(*(unit.link.close() for unit in self.fleet.units.values()))

    def status(self) -> RoleStatus:
        """For the status page."""
        return RoleStatus(
            devices=tuple(self._device_status(unit) for unit in self.fleet.units.values()),
            decisions=tuple(self._decisions),
            lockouts=tuple(
                LockoutStatus(lock.device, lock.person, lock.reason, lock.locked_ms)
                for lock in self._locks
            ),
            facts=tuple(self._facts()),
        )

    async def start(self) -> None:
        """Declares the devices and takes up what is remembered of them; before the tasks."""
        await self._database.read(lambda conn: device_memory.recall(conn, self.fleet))
        self._left_open = await self._database.read(intents.open_intents)
        self._locks = await self.actuator.refresh_locks()
        if self.feed is not None:
            await self.feed.restore()
        if self.curtailer is not None:
            self.curtailer.alarms = await self._database.read(raised_site_alarms)
        described = [_description(unit) for unit in self.fleet.units.values()]
        await self._recorder.declare([*described, DeviceDescription(SITE_DEVICE, "site", "site")])

    def _curtailer(self, forecaster: PriceForecaster) -> Curtailer | None:
        curtailment, prices = self._config.curtailment, self._config.prices
        if curtailment is None or not curtailment.enabled:
            return None
        return Curtailer(
            curtailment,
            curtailment.limits(0 if prices is None else prices.stale_after_s),
            self.fleet,
            self.actuator,
            self.market,
            forecaster,
            Tools(self._database, self._clock, self.figures, self._on_decision),
        )

    def market(self) -> Market:
        """What is known of the prices."""
        return _NO_MARKET if self.feed is None else self.feed.market

    def _on_news(self) -> None:
        if self.curtailer is not None:
            self.curtailer.nudge()

    def _on_decision(self, decision: Decision, time_ms: int) -> None:
        shown = DecisionStatus(time_ms, decision.basis.value, summary(decision))
        self._decisions.appendleft(shown)

    async def _decide(self) -> None:
        """First every device is tried and what a crash cut off is ended; then it is decided."""
        if not self._ready.is_set():
            units = self.fleet.units.values()
            await asyncio.gather(*(u.polled(_FIRST_READING_WITHIN_S, ask=False) for u in units))
            # Taken once: what a crash of this very task leaves is for the next start.
            left_open, self._left_open = self._left_open, ()
            await asyncio.gather(*map(self.recovery.end_unless_commanded, left_open))
            self._ready.set()
            _settle_heap()
        if self.curtailer is not None:
            await self.curtailer.run()
        await asyncio.Event().wait()

    async def _totals(self) -> None:
        """Records the site as a whole and looks for locks set by other processes."""
        loop = asyncio.get_running_loop()
        interval_s = self._config.collect.interval_s
        due_s = loop.time() + interval_s
        while True:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            due_s = max(due_s + interval_s, loop.time())
            before = self.fleet.locked
            self._locks = await self.actuator.refresh_locks()
            if before != self.fleet.locked:
                self._on_news()
            now_ms = self._clock.now_ms()
            price = self.market().last_price(now_ms)
            prices = self._config.prices
            stale_ms = 0 if prices is None else prices.stale_after_s * 1000
            values = site_values(
                self.fleet,
                self._config.power.site_meters,
                price,
                stale=price is None or now_ms - price.end_ms > stale_ms,
            )
            await self._recorder.snapshot(SITE_DEVICE, now_ms, values)

    async def _forget(self) -> None:
        while True:
            now_ms = self._clock.now_ms()
            try:
                await self._database.write(partial(intents.prune, now_ms=now_ms))
            except StorageError as error:
                log.warning("old intents could not be forgotten", error=str(error))
            await asyncio.sleep(_PRUNE_S)

    async def _stop_unrecorded(self, unit: Unit) -> None:
        try:
            await self.actuator.stop_unrecorded(unit)
        except (DeviceError, TimeoutError) as error:
            log.warning("a miner could not be stopped", device=unit.name, error=str(error))

    def _device_status(self, unit: Unit) -> DeviceStatus:
        power_w = self.fleet.power(unit)[0] if unit.is_miner else unit.values.get("power_w")
        hashrate_ths = unit.values.get("hashrate_ths")
        return DeviceStatus(
            name=unit.name,
            kind=unit.config.kind.value,
            state=self.fleet.state_of(unit).value,
            read_ms=unit.read_ms,
            power_w=_number(power_w),
            hashrate_ths=_number(hashrate_ths),
            problem="" if unit.problem is None else str(unit.problem)[:200],
        )

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("poll lateness p99", _seconds(quantile_s(self.figures.lateness, 0.99))),
            ("decision p99", _seconds(quantile_s(self.figures.decision, 0.99))),
        ]
        if self.feed is not None:
            facts.append(("prices", self.feed.problem or "read"))
            price = self.feed.market.last_price(self._clock.now_ms())
            facts.append(
                ("last price", "unknown" if price is None else f"{price.usd_per_mwh} USD/MWh")
            )
        return facts


_NO_MARKET = Market()


async def build_site(
    config: SiteSections, database: Database, recorder: Recorder, clock: Clock
) -> SiteRole:
    """The role, its devices declared and what it remembers taken up; nothing runs yet.

    A price model that is refused is logged and left out: the last known price decides then.
    """
    forecaster = await asyncio.to_thread(_load_forecaster, config)
    role = SiteRole(config, database, recorder, clock, forecaster)
    await role.start()
    if forecaster.model is not None:
        await recorder.set_hashes({forecaster.model.file_name: forecaster.model.sha256})
    return role


def _settle_heap() -> None:
    """Takes what was loaded at the start out of the collector's sight, for it lives to the end.

    A full collection over it took 11 ms in the middle of decisions that take 4.
    """
    gc.collect()
    gc.freeze()


def _load_forecaster(config: SiteSections) -> PriceForecaster:
    model: ModelConfig = config.model
    if not model.enabled or config.curtailment is None or config.prices is None:
        return PriceForecaster(None)
    folder = shipped_folder("price") if model.manifest is None else model.manifest.parent
    try:
        return load_price_forecaster(folder)
    except ModelRefusedError as error:
        log.warning("no price model: the last known price decides", error=str(error))
        return PriceForecaster(None)


def _coordinator(collector: Collector, unit: Unit) -> TaskSpec:
    return TaskSpec(f"device {unit.name}", lambda: collector.run(unit))


def _description(unit: Unit) -> DeviceDescription:
    config = unit.config
    facts = {
        "rated_power_w": config.rated_power_w,
        "rated_hashrate_ths": config.rated_hashrate_ths,
        "outlet": config.outlet,
        "meter": config.meter,
    }
    stated = {name: str(value) for name, value in facts.items() if value is not None}
    return DeviceDescription(config.name, config.kind.value, config.driver, stated)


def _number(value: object) -> float | None:
    found = known(value)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found)


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f} s"
