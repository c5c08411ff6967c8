"""Plays the day: starts everything, gives orders, shows progress, waits for the last row."""

import asyncio
import contextlib
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from firmware_bridges.simulators.market import MarketSimulator
from provisioning import single_node
from provisioning.demo.account import Earnings, Site
from provisioning.demo.children import Children
from provisioning.demo.day import END_MS, INTERVAL_MS, START_MS, market_rows, played
from provisioning.demo.interface import Interface, InterfaceError
from provisioning.demo.person import PERSON, enter_person
from provisioning.demo.site import MAIN_METER, DemoSite
from provisioning.demo.summary import Rows, accepted_rows, count_rows, summarise
from shared.time import TimeScale, from_ms

NODE, SITE = "demo-01", "demo"
EARNINGS = Earnings(Decimal("0.055"), Decimal("0.02"))
_LEAD_S = 18.0
_PATIENCE_S = 60.0
_ORDERED_MINER = "miner-24"
_LOWERED = {"kind": "power_limit", "power_w": 2_500}
_RUN = {"kind": "run"}
_STOP = {"kind": "stop"}
_DEAR = Decimal(60)
_PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line."""

    folder: Path
    speed: float
    port: int
    say: Callable[[str], None]


class Player:
    """One deployment that plays one day."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._children = Children(wishes.folder)
        now_ms = time.time_ns() // 1_000_000
        origin_ms = now_ms + int(_LEAD_S * 1_000)
        self._scale = TimeScale(origin_ms, START_MS, wishes.speed)
        self._site = DemoSite(wishes.folder, lambda: time.monotonic() * wishes.speed)
        self._market = MarketSimulator(market_rows(), self.shown_ms)
        self._database = wishes.folder / "controller.db"

    def shown_ms(self) -> int:
        """The time of the played day."""
        return self._scale.shown_ms(time.time_ns() // 1_000_000)

    async def play(self) -> dict[str, Any]:
        """Plays the day and returns its summary; everything still runs then."""
        files = await self._start()
        say = self._wishes.say
        say(f"page      http://127.0.0.1:{self._wishes.port}/")
        say(f"sign in   as {PERSON}, password in {self._password_file}")
        say(f"token in  {files.token_file}")
        say(f"logs in   {self._wishes.folder}")
        async with Interface(self._wishes.port, files.token) as interface:
            await self._until_born(interface)
            orders = asyncio.create_task(self._give_orders(interface))
            try:
                await self._show_progress(interface)
            finally:
                orders.cancel()
                await asyncio.gather(orders, return_exceptions=True)
            rows = await self._until_settled(interface)
            rated = self._site.rated
            site = Site(Decimal(str(rated.power_w)), Decimal(str(rated.hashrate_ths)))
            market = played(market_rows())
            figures = await summarise(interface, market, EARNINGS, site, self._wishes.speed)
        return {
            "speed": self._wishes.speed,
            "rows_measured": rows.measured,
            "rows_committed": rows.committed,
            "rows_in_gaps": rows.in_gaps,
            "rows_lost": rows.lost,
            "rows_duplicated": rows.duplicated,
            **figures,
        }

    async def watch(self) -> None:
        """Stays until it is cancelled or a child ends."""
        while True:
            self._children.check()
            await asyncio.sleep(1.0)

    async def stop(self) -> None:
        """Ends every child and every simulator."""
        await asyncio.to_thread(self._children.stop_all)
        await self._market.stop()
        await self._site.stop()

    @property
    def _agent_database(self) -> Path:
        return self._wishes.folder / "agent" / "agent.sqlite"

    @property
    def _password_file(self) -> Path:
        return self._wishes.folder / "password"

    async def _start(self) -> single_node.Written:
        await self._site.start()
        await self._market.start()
        files = single_node.write(self._plan())
        await asyncio.to_thread(enter_person, self._database, self._password_file)
        broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        bes = str(_PROGRAMS / "bes")
        controller = ["controller", "run", "--migrate", "--config", str(files.controller_config)]
        self._children.start("broker", [broker, "-c", str(files.broker_config)])
        self._children.start("controller", [bes, *controller])
        self._children.start("agent", [bes, "agent", "run", "--config", str(files.agent_config)])
        return files

    def _plan(self) -> single_node.SingleNode:
        clock = {
            "real_origin_ms": self._scale.real_origin_ms,
            "shown_origin_ms": self._scale.shown_origin_ms,
            "rate": self._scale.rate,
        }
        return single_node.SingleNode(
            folder=self._wishes.folder,
            node=NODE,
            site=SITE,
            site_name="Demonstration site",
            broker_port=_free_port(),
            http_port=self._wishes.port,
            database_url=f"sqlite:///{self._database}",
            devices=self._site.devices(),
            agent={
                "clock": clock,
                "status": {"port": 0},
                "collect": {"interval_s": 0.3, "deadline_s": 8.0, "longest_interval_s": 1.0},
                "power": {"site_meters": [MAIN_METER]},
                "prices": {"url": self._market.url, "poll_s": 0.2, "stale_after_s": 2_700},
                "curtailment": {
                    "hashprice_usd_per_th_day": str(EARNINGS.hashprice_usd_per_th_day),
                    "pool_fee": str(EARNINGS.pool_fee),
                    "min_on_s": 1_800,
                    "min_off_s": 900,
                    "restart_cost_usd": "0.02",
                    "safe_mode": "stop",
                    "evaluate_s": 0.2,
                    "settle_s": 5.0,
                },
            },
            controller={"clock": clock, "access": {"second_factor": "when_enrolled"}},
        )

    async def _until_born(self, interface: Interface) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            self._children.check()
            with contextlib.suppress(InterfaceError):
                if (await interface.get(f"/nodes/{NODE}"))["event_stream"] is not None:
                    return
            await asyncio.sleep(0.1)
        raise TimeoutError("the agent did not come up")

    async def _give_orders(self, interface: Interface) -> None:
        """One order in each interval: an operator runs one miner by hand, off when power is dear,
        and holds it against curtailment until his next order."""
        for number, row in enumerate(played(market_rows())):
            await self._until(row.start_ms + INTERVAL_MS // 2)
            setpoint = _LOWERED if number % 2 == 0 else _RUN
            action = {
                "name": "setpoint",
                "device": _ORDERED_MINER,
                "setpoint": setpoint if row.real_time < _DEAR else _STOP,
                "hold_ms": 2 * INTERVAL_MS,
            }
            body = {"node": NODE, "action": action, "lifetime_ms": 86_400_000}
            try:
                await interface.order(body, f"demo-order-{number:03}")
            except InterfaceError as error:
                self._wishes.say(f"order {number} was not taken: {error}")

    async def _show_progress(self, interface: Interface) -> None:
        while self.shown_ms() < END_MS:
            self._children.check()
            now = await interface.get(f"/sites/{SITE}/overview")
            miners = [device for device in now["devices"] if device["kind"] == "miner"]
            hashing = sum(device["state"] == "mining" for device in miners)
            power = "unknown" if now["power_w"] is None else f"{now['power_w'] / 1000:6.1f} kW"
            price = now["price_usd_per_mwh"] or "unknown"
            self._wishes.say(
                f"{from_ms(self.shown_ms()):%d %b %H:%M}  {price:>10} USD/MWh  {power}  "
                f"{hashing:2} of {len(miners)} hashing"
            )
            await asyncio.sleep(2.0)

    async def _until_settled(self, interface: Interface) -> Rows:
        """Until every order is at an end, and what is measured by now is committed and rolled."""
        deadline = time.monotonic() + _PATIENCE_S
        goal = accepted_rows(self._agent_database)
        while time.monotonic() < deadline:
            self._children.check()
            rows = count_rows(self._agent_database, self._database, goal)
            waiting = [
                order
                for state in ("queued", "sent", "accepted")
                for order in (await interface.get("/commands", state=state))["items"]
            ]
            if not waiting and not rows.lost:
                await asyncio.sleep(2.5)
                return rows
            await asyncio.sleep(0.2)
        self._wishes.say(f"not settled: {len(waiting)} orders open, {rows}")
        return rows

    async def _until(self, shown_ms: int) -> None:
        await asyncio.sleep(max(0.0, self._scale.real_seconds(shown_ms - self.shown_ms())))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
