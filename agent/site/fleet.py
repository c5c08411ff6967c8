"""The site's devices while the agent runs: what each said last, what it was told, what feeds it."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.site.config import DeviceConfig
from agent.site.drivers import load_driver
from agent.site.intents import DeviceAction
from agent.site.observation import AlarmCode, DeviceState, Seen, device_state
from agent.site.power_truth import PowerClaims, PowerSource, power_truth
from agent.site.situation import MinerState, Profile, RunPoint
from firmware_bridges.capabilities import MinerCapabilities, PlantCapabilities
from firmware_bridges.errors import DeviceError
from firmware_bridges.protocol import DeviceKind, Miner, PlantDevice
from firmware_bridges.readings import MinerReading, OutletReading, PlantReading
from shared.measured import Measured, Reason, Scalar, Unknown, known
from shared.setpoints import Preset, Run, Setpoint, Stop

_STALE = Unknown(Reason.STALE, "its last reading is too old")


@dataclass(slots=True, eq=False)
class Unit:
    """One device. Times ending in `_s` are real (monotonic), those in `_ms` business time.

    `lock` is held by whoever talks to the device. `told` is the setpoint that it is taken to
    follow, `since_ms` when it last began or ceased to hash, `cause` why it was last written,
    `unfollowed` the last write when it took no effect, and what was missing.
    """

    config: DeviceConfig
    link: Miner | PlantDevice
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    poll_now: asyncio.Event = field(default_factory=asyncio.Event)
    capabilities: MinerCapabilities | PlantCapabilities | None = None
    reading: MinerReading | PlantReading | None = None
    read_begun_s: float = -math.inf
    read_ms: int | None = None
    failures: int = 0
    problem: DeviceError | None = None
    values: Mapping[str, Scalar | Unknown] = field(default_factory=dict)
    told: Setpoint | None = None
    since_ms: int | None = None
    held_until_ms: int | None = None
    retry_ms: int | None = None
    cause: str = ""
    settling: int = 0
    writes: int = 0
    unfollowed: tuple[DeviceAction, str] | None = None
    state: DeviceState = DeviceState.UNKNOWN
    alarms: frozenset[AlarmCode] = frozenset()
    profile: Profile = field(default_factory=lambda: Profile(()))
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name on the node."""
        return self.config.name

    @property
    def is_miner(self) -> bool:
        """Whether it hashes."""
        return self.config.kind is DeviceKind.MINER

    @property
    def miner_reading(self) -> MinerReading | None:
        """Its last reading, when it is a miner."""
        return self.reading if isinstance(self.reading, MinerReading) else None

    @property
    def controllable(self) -> bool:
        """Whether it is known to take commands to stop and to run."""
        found = self.capabilities
        return isinstance(found, MinerCapabilities) and found.stop and found.run

    def problem_or_stale(self) -> Unknown:
        """Why nothing recent is known of it."""
        return _STALE if self.problem is None else self.problem.unknown()

    def wake(self) -> None:
        """Lets everyone go on who waits for the end of a poll."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def polled(self, within_s: float, *, ask: bool = True) -> None:
        """Returns when a poll has ended, asked for at once or when it is due, or in good time."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        if ask:
            self.poll_now.set()
        await asyncio.wait({future}, timeout=within_s)


class Fleet:
    """All devices by name, and which switch and meter each hangs on."""

    def __init__(
        self, units: Sequence[Unit], clock: Clock, stale_after_s: float, offline_after: int
    ) -> None:
        self.units = {unit.name: unit for unit in units}
        self.locked: frozenset[str] = frozenset()
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._offline_after = offline_after
        self._profiles: dict[tuple[tuple[RunPoint, ...], int], Profile] = {}
        self.by_outlet: dict[tuple[str, int], list[Unit]] = {}
        self.by_meter: dict[str, list[Unit]] = {}
        for unit in units:
            if unit.config.outlet_place is not None:
                self.by_outlet.setdefault(unit.config.outlet_place, []).append(unit)
            if unit.config.meter is not None:
                self.by_meter.setdefault(unit.config.meter, []).append(unit)

    @property
    def miners(self) -> Iterator[Unit]:
        """The miners in the order of the configuration."""
        return (unit for unit in self.units.values() if unit.is_miner)

    def fresh(self, unit: Unit) -> bool:
        """Whether its last reading succeeded and is recent."""
        age_s = self._clock.monotonic_s() - unit.read_begun_s
        return unit.failures == 0 and age_s <= self._stale_after_s

    def seen(self, unit: Unit) -> Seen:
        """What its state and alarms follow from."""
        return Seen(
            reading=unit.reading,
            failures=unit.failures,
            offline_after=self._offline_after,
            locked=unit.name in self.locked,
            stopped_by_decision=unit.cause.startswith("decision"),
        )

    def state_of(self, unit: Unit) -> DeviceState:
        """The state it is in now."""
        return device_state(self.seen(unit))

    def lockable(self, unit: Unit, outlet: int | None = None) -> frozenset[str]:
        """The devices of which a lock forbids to energise: itself, what feeds it, what it feeds."""
        names = {unit.name}
        if outlet is not None:
            names |= {fed.name for fed in self.by_outlet.get((unit.name, outlet), ())}
        elif unit.config.outlet_place is not None:
            names.add(unit.config.outlet_place[0])
        return frozenset(names)

    def outlet_of(self, unit: Unit) -> OutletReading | None:
        """The fresh reading of the outlet that feeds this device; None when there is none."""
        place = unit.config.outlet_place
        if place is None:
            return None
        switch = self.units[place[0]]
        if not isinstance(switch.reading, PlantReading) or not self.fresh(switch):
            return None
        return next((o for o in switch.reading.outlets if o.index == place[1]), None)

    def meter_power(self, meter: str, since_s: float = -math.inf) -> Measured[float]:
        """A meter's power as of a reading begun after `since_s`; unknown when there is none."""
        unit = self.units[meter]
        if unit.problem is not None:
            return unit.problem.unknown()
        if not isinstance(unit.reading, PlantReading) or not self.fresh(unit):
            return _STALE
        return unit.reading.power_w if unit.read_begun_s >= since_s else _STALE

    def power(self, unit: Unit) -> tuple[Measured[float], PowerSource | None]:
        """A miner's power by the most trusted source, and the source."""
        return power_truth(
            PowerClaims(
                pdu=self._pdu_claim(unit),
                meter=self._meter_claim(unit),
                miner=self._own_claim(unit),
                nameplate=self._nameplate(unit),
            )
        )

    def use_capabilities(self, unit: Unit) -> None:
        """Works out the operating points whose power and hashrate are known."""
        if not isinstance(unit.capabilities, MinerCapabilities):
            return
        points = tuple(p for p in _points(unit) if unit.capabilities.why_not(p.setpoint) is None)
        key = (points, unit.config.idle_power_w)
        unit.profile = self._profiles.setdefault(key, Profile(*key))

    def miner_states(self) -> tuple[MinerState, ...]:
        """The miners as the decision takes them."""
        return tuple(
            [
                MinerState(
                    unit.name,
                    unit.profile,
                    unit.told,
                    unit.since_ms,
                    unit.name in self.locked,
                    unit.held_until_ms,
                    unit.retry_ms,
                    unit.failures == 0 and unit.reading is not None,
                    unit.controllable,
                    unit.config.must_run,
                )
                for unit in self.miners
            ]
        )

    def _pdu_claim(self, unit: Unit) -> Measured[float] | None:
        place = unit.config.outlet_place
        if place is None or len(self.by_outlet[place]) > 1:
            return None
        outlet = self.outlet_of(unit)
        if outlet is None:
            return self.units[place[0]].problem_or_stale()
        if isinstance(outlet.power_w, Unknown) and outlet.closed is False:
            return 0.0
        return outlet.power_w

    def _meter_claim(self, unit: Unit) -> Measured[float] | None:
        meter = unit.config.meter
        if meter is None or len(self.by_meter[meter]) > 1:
            return None
        return self.meter_power(meter)

    def _own_claim(self, unit: Unit) -> Measured[float] | None:
        reading = unit.miner_reading
        if reading is None or not self.fresh(unit):
            return unit.problem_or_stale()
        return reading.power_w

    def _nameplate(self, unit: Unit) -> Measured[float] | None:
        reading = unit.miner_reading
        if reading is None or not self.fresh(unit) or known(reading.mining) is not True:
            return None
        drawn = point_power_w(unit, unit.told)
        return None if drawn is None else float(drawn)


def open_unit(config: DeviceConfig) -> Unit:
    """The device object by its driver; no I/O."""
    return Unit(config, load_driver(config.driver).open(config.driver_settings))


def point_power_w(unit: Unit, setpoint: Setpoint | None) -> int | None:
    """What a setpoint makes the miner draw, where that is known."""
    if isinstance(setpoint, Stop):
        return unit.config.idle_power_w
    return next((p.power_w for p in unit.profile.points if p.setpoint == setpoint), None)


def _points(unit: Unit) -> Iterator[RunPoint]:
    config, capabilities = unit.config, unit.capabilities
    given = {point.setpoint for point in config.points}
    if config.rated_power_w is not None and config.rated_hashrate_ths is not None:
        yield RunPoint(Run(), config.rated_power_w, int(config.rated_hashrate_ths * 1000))
    for point in config.points:
        yield RunPoint(point.setpoint, point.power_w, int(point.hashrate_ths * 1000))
    if not isinstance(capabilities, MinerCapabilities):
        return
    for stated in capabilities.presets:
        setpoint = Preset(stated.name)
        if stated.power_w is None or stated.hashrate_ths is None or setpoint in given:
            continue
        if stated.power_w >= 1 and stated.hashrate_ths >= 0.001:
            yield RunPoint(setpoint, round(stated.power_w), round(stated.hashrate_ths * 1000))
