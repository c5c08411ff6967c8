"""Certificates are renewed and authorities rotated under load, and every row arrives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509

from agent.clock import SystemClock
from agent.database import Database
from agent.recorder import Recorder
from agent.uplink.state import Stream
from agent.uplink.uplink import Uplink, UplinkSettings
from shared.identity.fingerprints import key_fingerprint
from shared.identity.pem import certificates_pem, read_certificates
from tests.agents import IDENTITY, MINERS, eventually
from tests.brokers import CONTROLLER, Broker
from tests.integration.agent.uplink.conftest import IMPATIENT, Site, address_of, close_site
from tests.integration.agent.uplink.controllers import FakeController


@dataclass(frozen=True, slots=True)
class Host:
    """A site that pins roots in a file of its own."""

    site: Site
    roots_file: Path
    broker: Broker

    def pin(self, roots: Sequence[x509.Certificate]) -> None:
        """Trusts these roots from the next connection on."""
        self.roots_file.write_bytes(certificates_pem(roots))

    async def reconnect(self) -> None:
        """Makes the uplink read its files anew, and waits until it is back."""
        before = self.site.uplink.status.connections
        await self.site.uplink.reconnect()
        await eventually(lambda: self.site.uplink.status.connections > before)
        await eventually(lambda: self.site.uplink.status.connected)


@pytest.fixture
async def host(tmp_path: Path, broker: Broker) -> AsyncIterator[Host]:
    database = await Database.open(tmp_path / "agent.db")
    recorder = await Recorder.open(database, SystemClock(), IDENTITY)
    await recorder.declare(MINERS)
    roots_file = tmp_path / "roots.pem"
    address = replace(address_of(broker), ca_file=roots_file)
    uplink = Uplink(database, SystemClock(), UplinkSettings(address, IDENTITY, IMPATIENT))
    opened = Host(Site(database, recorder, uplink), roots_file, broker)
    opened.pin(broker.authority.trust.roots)
    yield opened
    await close_site(opened.site)


@asynccontextmanager
async def recording(site: Site) -> AsyncIterator[None]:
    """Rows are accepted all the while, and some more after."""
    ended = asyncio.Event()

    async def record() -> None:
        while not ended.is_set():
            await site.record(5)
            await asyncio.sleep(0.01)

    site.start()
    running = asyncio.create_task(record())
    try:
        yield
    finally:
        ended.set()
        await running
    await site.record(20)


async def more_arrive(site: Site, controller: FakeController) -> None:
    """Waits for rows beyond what has arrived by now."""
    stream = site.database.streams[Stream.TELEMETRY]
    known = len(controller.committed(stream))
    await eventually(lambda: len(controller.committed(stream)) > known + 20)


async def everything_arrived(site: Site, controller: FakeController) -> None:
    await site.empty()
    stream = site.database.streams[Stream.TELEMETRY]
    assert controller.committed(stream) == site.accepted(Stream.TELEMETRY)
    assert await site.kept(Stream.TELEMETRY) == 0


def key_of(broker: Broker) -> str:
    chain = read_certificates(broker.credentials(IDENTITY.node).certificate_file.read_bytes())
    return key_fingerprint(chain[0])


async def test_a_certificate_is_renewed_under_load_without_a_lost_row(
    host: Host, broker: Broker, controller: FakeController
) -> None:
    keys = {key_of(broker)}
    async with recording(host.site):
        await more_arrive(host.site, controller)
        for _ in range(3):
            broker.renew(IDENTITY.node)
            broker.reload()
            await host.reconnect()
            await more_arrive(host.site, controller)
            keys.add(key_of(broker))
    await everything_arrived(host.site, controller)
    assert len(keys) == 4


async def test_the_authority_is_rotated_under_load_without_a_lost_row(
    host: Host, broker: Broker, controller: FakeController
) -> None:
    """In the order of `shared.identity.rotation`: servers, then hosts, then the old root goes."""
    async with recording(host.site):
        await more_arrive(host.site, controller)

        broker.authority.rotate()
        broker.renew()
        broker.reload()
        await host.reconnect()  # knows the old root only, and holds a leaf of it
        await more_arrive(host.site, controller)

        broker.renew(IDENTITY.node, CONTROLLER)
        host.pin(broker.authority.trust.roots)
        await host.reconnect()
        await more_arrive(host.site, controller)

        new = broker.authority.trust.roots[1:]
        host.pin(new)
        broker.ca_file.write_bytes(certificates_pem(new))
        controller.stop()
        broker.stop()
        await eventually(lambda: not host.site.uplink.status.connected)
        broker.start()
        controller.start()
        await more_arrive(host.site, controller)
    await everything_arrived(host.site, controller)


async def test_a_connection_made_anew_as_asked_does_not_wait_as_after_failures(
    host: Host, controller: FakeController
) -> None:
    # As failures these would be a minute apart at the end, longer than each is waited for.
    asked = 10
    async with recording(host.site):
        await more_arrive(host.site, controller)
        for _ in range(asked):
            await host.reconnect()
        assert host.site.uplink.status.connections == asked + 1
    await everything_arrived(host.site, controller)
