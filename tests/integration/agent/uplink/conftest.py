"""A broker, a controller and the buffer end of an agent."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.database import Database
from agent.recorder import Recorder
from agent.uplink.link import BrokerAddress
from agent.uplink.state import PlanSettings, Stream
from agent.uplink.uplink import Uplink, UplinkSettings
from tests.agents import IDENTITY, MINERS, NOON_MS, POWER, count, eventually
from tests.brokers import HOST, Broker, running_broker
from tests.integration.agent.uplink.controllers import FakeController

IMPATIENT = PlanSettings(resend_after_s=1.0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own."""
    with running_broker(tmp_path / "mqtt") as running:
        yield running


@pytest.fixture
def controller(broker: Broker) -> Iterator[FakeController]:
    """A controller that runs."""
    fake = FakeController(broker)
    fake.start()
    yield fake
    fake.stop()


def address_of(broker: Broker, name: str = IDENTITY.node) -> BrokerAddress:
    """The broker's address with the credentials of `name`."""
    credentials = broker.credentials(name)
    return BrokerAddress(
        HOST, broker.port, broker.ca_file, credentials.certificate_file, credentials.key_file
    )


@dataclass
class Site:
    """Database, recorder and uplink."""

    database: Database
    recorder: Recorder
    uplink: Uplink
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Runs the uplink."""
        self.running.append(asyncio.create_task(self.uplink.run()))

    async def record(self, count: int) -> None:
        """Accepts so many snapshots."""
        for n in range(count):
            await self.recorder.snapshot(f"miner-{n % 3}", NOON_MS + n, [(POWER, n)])

    def accepted(self, stream: Stream) -> set[int]:
        """All numbers that were ever accepted."""
        return set(range(1, self.database.last_seqs[stream] + 1))

    async def empty(self) -> None:
        """Waits until nothing is left to send or delete."""
        await eventually(lambda: not any(self.uplink.status.outstanding.values()))
        await eventually(self.uplink.nothing_to_delete.is_set)

    async def kept(self, stream: Stream) -> int:
        """How many rows are still in the database."""
        return await self.database.read(lambda c: count(c, stream))


async def open_site(folder: Path, broker: Broker, plan: PlanSettings = IMPATIENT) -> Site:
    """A site whose devices are declared and whose uplink does not run yet."""
    database = await Database.open(folder / "agent.db")
    recorder = await Recorder.open(database, SystemClock(), IDENTITY)
    await recorder.declare(MINERS)
    settings = UplinkSettings(address_of(broker), IDENTITY, plan)
    return Site(database, recorder, Uplink(database, SystemClock(), settings))


async def close_site(site: Site) -> None:
    """Ends it, however it stands."""
    for task in site.running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await site.database.close()


@pytest.fixture
async def site(tmp_path: Path, broker: Broker) -> AsyncIterator[Site]:
    """A site of the broker's."""
    opened = await open_site(tmp_path / "site", broker)
    yield opened
    await close_site(opened)
