"""A small site on real protocols: LuxOS miners behind a metered PDU, a main meter, a price feed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.buffer.births import Identity
from agent.database import Database
from agent.recorder import Recorder
from agent.site.config import SiteSections
from agent.site.role import SiteRole, build_site
from agent.supervisor import Supervisor
from firmware_bridges.simulators.luxos import LuxosSimulator
from firmware_bridges.simulators.market import MarketSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from firmware_bridges.simulators.plant import (
    ElectricalLoad,
    ModbusTcpServer,
    Pm5000,
    SimulatedPdu,
)
from shared.messages.event import Event, EventKind

QUARTER_MS = 900_000
START_MS = 1_900_000 * QUARTER_MS
PATIENCE_S = 30.0
RATED = Point(3_000.0, 150.0)  # breakeven 100 USD/MWh at 0.048 USD/TH/day


class SetClock:
    """Business time as the test sets it; monotonic time is real."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_s(self) -> float:
        return time.monotonic()


@dataclass
class Row:
    start_ms: int
    real_time: Decimal
    day_ahead: Decimal = Decimal(30)
    demand_forecast_mw: Decimal = Decimal(50_000)
    temperature_c: Decimal = Decimal(20)


class Hardware:
    """Simulated miners on the outlets of a PDU, and the meter of it all."""

    def __init__(self, miners: int) -> None:
        model = MinerModel("S19", "LUXminer", "", "", RATED, ramp_s=0.2)
        self.miners = [SimulatedMiner(model, time.monotonic) for _ in range(miners)]
        self.scripts = [Script() for _ in self.miners]
        self.simulators = [
            LuxosSimulator(miner, script)
            for miner, script in zip(self.miners, self.scripts, strict=True)
        ]
        self.pdu = SimulatedPdu(24, self._outlet_w, self._switch)
        self.load = ElectricalLoad(self.power_w, time.monotonic)
        self.plant = ModbusTcpServer({1: Pm5000(self.load), 2: self.pdu})
        self.prices = [Row(START_MS + n * QUARTER_MS, Decimal(50)) for n in range(-8, 96)]

    def power_w(self) -> float:
        return sum(miner.point().power_w for miner in self.miners)

    def _outlet_w(self, outlet: int) -> float:
        return self.miners[outlet - 1].point().power_w if outlet <= len(self.miners) else 0.0

    def _switch(self, outlet: int, closed: bool) -> None:
        if outlet <= len(self.miners):
            self.miners[outlet - 1].power(on=closed)

    def price(self, interval: int, usd_per_mwh: str) -> None:
        """Sets the price of the interval so many after the start."""
        at_ms = START_MS + interval * QUARTER_MS
        row = next(row for row in self.prices if row.start_ms == at_ms)
        row.real_time = Decimal(usd_per_mwh)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        for simulator in self.simulators:
            await simulator.start()
        await self.plant.start()
        try:
            yield
        finally:
            for simulator in self.simulators:
                await simulator.stop()
            await self.plant.stop()

    def devices(self) -> list[dict[str, Any]]:
        tables: list[dict[str, Any]] = [
            {
                "name": f"miner-{n}",
                "kind": "miner",
                "driver": "luxos",
                "rated_power_w": 3_000,
                "rated_hashrate_ths": "150",
                "idle_power_w": 45,
                "outlet": f"pdu-1/{n}",
                "settings": {"host": "127.0.0.1", "port": simulator.port},
            }
            for n, simulator in enumerate(self.simulators, start=1)
        ]
        plant = {"host": "127.0.0.1", "port": self.plant.port}
        meter = {"map": "schneider_pm5000", "unit": 1, **plant}
        pdu = {"map": "metered_pdu_24", "unit": 2, **plant}
        return [
            *tables,
            {"name": "main", "kind": "meter", "driver": "modbus-meter", "settings": meter},
            {"name": "pdu-1", "kind": "switch", "driver": "modbus-switch", "settings": pdu},
        ]


@dataclass
class Rig:
    """The running role and what surrounds it."""

    hardware: Hardware
    clock: SetClock
    database: Database
    recorder: Recorder
    role: SiteRole
    market: MarketSimulator
    supervisor: Supervisor = field(default_factory=Supervisor)

    def start(self) -> None:
        for spec in self.role.tasks():
            self.supervisor.start(spec)

    async def events(self, kind: EventKind) -> list[Event]:
        bodies = await self.database.read(
            lambda conn: conn.execute("SELECT body FROM event ORDER BY seq").fetchall()
        )
        return [event for (body,) in bodies if (event := Event.decode(body)).kind is kind]


async def until(condition: Callable[[], bool]) -> None:
    """Returns once a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


async def until_events(
    rig: Rig, kind: EventKind, wanted: Callable[[list[Event]], bool]
) -> list[Event]:
    """Returns the events of a kind once they satisfy a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not wanted(events := await rig.events(kind)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return events


def sections(hardware: Hardware, url: str, **curtailment: Any) -> SiteSections:
    """The site's configuration."""
    return SiteSections.model_validate(
        {
            "device": hardware.devices(),
            "collect": {"interval_s": 0.1, "deadline_s": 5.0, "longest_interval_s": 0.2},
            "power": {"site_meters": ["main"]},
            "prices": {"url": url, "poll_s": 0.1, "stale_after_s": 2_700},
            "model": {"enabled": False},
            "curtailment": {
                "hashprice_usd_per_th_day": "0.048",
                "min_on_s": 0,
                "min_off_s": 0,
                "evaluate_s": 0.1,
                "settle_s": 20.0,
                **curtailment,
            },
        }
    )


@asynccontextmanager
async def site(
    folder: Path, hardware: Hardware, clock: SetClock | None = None, **curtailment: Any
) -> AsyncIterator[Rig]:
    """A role on running hardware; `start` it. May be entered again on the same folder."""
    clock = clock or SetClock(START_MS)
    market = MarketSimulator(hardware.prices, clock.now_ms)
    await market.start()
    database = await Database.open(folder / "agent.sqlite")
    recorder = await Recorder.open(database, clock, Identity("site-a-01", "boot", "test"))
    config = sections(hardware, market.url, **curtailment)
    role = await build_site(config, database, recorder, clock)
    rig = Rig(hardware, clock, database, recorder, role, market)
    try:
        yield rig
    finally:
        await rig.supervisor.stop()
        await role.close()
        await database.close()
        await market.stop()
