"""State, births, commands, and who is let in."""

import asyncio
from pathlib import Path

import pytest

from agent.uplink.link import BrokerAddress, Link, LinkError
from agent.uplink.state import Stream
from agent.uplink.uplink import Uplink, UplinkSettings
from firmware_bridges.metrics import Metric
from shared.errors import BadInputError
from shared.messages.birth import MetricType
from shared.messages.cbor import MAX_PAYLOAD
from shared.messages.topics import Channel
from tests.agents import IDENTITY, NOON_MS, PATIENCE_S, SetClock, eventually
from tests.brokers import HOST, Broker
from tests.integration.agent.uplink.conftest import Site, address_of
from tests.integration.agent.uplink.controllers import FakeController


def _online(controller: FakeController) -> list[bool]:
    return [state.online for state in controller.states]


async def test_a_broken_link_shows_as_offline_and_a_new_one_as_online(
    site: Site, controller: FakeController
) -> None:
    site.start()
    await eventually(lambda: _online(controller))
    assert site.uplink._session is not None
    site.uplink._session.link.abort("cut by the test")
    await eventually(lambda: _online(controller)[:3] == [True, False, True])
    assert {state.boot_id for state in controller.states} == {IDENTITY.boot_id}


async def test_a_controller_that_lacks_an_old_birth_is_sent_it_and_then_acks(
    site: Site, broker: Broker
) -> None:
    await site.record(3)
    old = site.recorder.birth
    added = Metric("hashrate_ths", "TH/s", MetricType.FLOAT)
    await site.recorder.snapshot("miner-0", NOON_MS, [(added, 100.0)])
    current = site.recorder.birth
    assert current > old
    forgetful = FakeController(broker, takes_births=False)
    forgetful.start()
    site.start()
    await site.empty()
    assert set(forgetful.asked) == {old, current}
    assert len(forgetful.rows) == 4
    assert [m.name for m in forgetful.births[old].metrics] == ["power_w"]
    assert [m.name for m in forgetful.births[current].metrics] == ["power_w", "hashrate_ths"]
    forgetful.stop()
    later = FakeController(broker)
    later.start()
    await eventually(lambda: later.birth_messages)
    assert later.birth_messages == [(current, True)], "the current birth is the retained one"
    later.stop()


async def test_a_birth_made_while_connected_goes_out_before_its_rows(
    site: Site, controller: FakeController
) -> None:
    site.start()
    await site.record(3)
    await site.empty()
    added = Metric("frequency_hz", "Hz", MetricType.FLOAT)
    await site.recorder.snapshot("miner-0", NOON_MS, [(added, 50.0)])
    await site.empty()
    assert site.recorder.birth in controller.births
    assert controller.asked == []


async def test_commands_come_one_after_another_and_only_ours(
    site: Site, controller: FakeController
) -> None:
    got: list[bytes] = []

    async def take(payload: bytes) -> None:
        await asyncio.sleep(0)
        got.append(payload)

    site.uplink.on_command = take
    site.start()
    await eventually(lambda: site.uplink.status.connected)
    controller.send("another-node", Channel.COMMAND, b"not ours")
    sent = [b"%d" % n for n in range(100)]
    for payload in sent:
        controller.send(IDENTITY.node, Channel.COMMAND, payload)
    await eventually(lambda: len(got) >= 100)
    assert got == sent


async def test_rubbish_on_the_ack_channel_is_survived(
    site: Site, controller: FakeController
) -> None:
    site.start()
    await eventually(lambda: site.uplink.status.connected)
    for payload in (b"", b"\xff", b"\xa0" * 10, b"x" * 1_000):
        controller.send(IDENTITY.node, Channel.ACK, payload)
    await site.record(5)
    await site.empty()
    assert site.uplink.status.connections == 1


async def test_a_certificate_of_another_authority_is_refused_and_nothing_is_lost(
    site: Site, broker: Broker, tmp_path: Path
) -> None:
    stranger = Broker(tmp_path / "stranger").credentials(IDENTITY.node)
    address = BrokerAddress(
        HOST, broker.port, broker.ca_file, stranger.certificate_file, stranger.key_file
    )
    uplink = Uplink(site.database, SetClock(), UplinkSettings(address, IDENTITY))
    running = asyncio.create_task(uplink.run())
    await site.record(3)
    await eventually(lambda: uplink.status.problem not in ("", "not yet connected"))
    assert not uplink.status.connected
    assert await site.kept(Stream.TELEMETRY) == 3
    await uplink.stop()
    await running


async def test_a_broker_of_another_authority_is_not_trusted(broker: Broker, tmp_path: Path) -> None:
    other = Broker(tmp_path / "other")
    ours = address_of(broker)
    address = BrokerAddress(HOST, broker.port, other.ca_file, ours.certificate_file, ours.key_file)
    with pytest.raises(LinkError, match=r"(?i)certificate"):
        await Link.connect(IDENTITY.node, address, b"will")


async def test_a_link_is_used_once(broker: Broker) -> None:
    link = await Link.connect(IDENTITY.node, address_of(broker), b"will")
    assert link.publish(Channel.EVENT, b"x") != link.publish(Channel.EVENT, b"y")
    assert await link.flush(PATIENCE_S)
    link.abort("cut by the test")
    assert await link.closed == "cut by the test"
    with pytest.raises(LinkError, match="cut by the test"):
        link.publish(Channel.EVENT, b"z")


async def test_a_payload_beyond_the_bound_is_refused(broker: Broker) -> None:
    link = await Link.connect(IDENTITY.node, address_of(broker), b"will")
    with pytest.raises(BadInputError, match="payload"):
        link.publish(Channel.EVENT, bytes(MAX_PAYLOAD + 1))
    await link.close()


async def test_two_nodes_do_not_get_into_each_others_topics(
    broker: Broker, controller: FakeController
) -> None:
    """The broker refuses; the link stands."""
    link = await Link.connect(IDENTITY.node, address_of(broker, "another-node"), b"will")
    link.publish(Channel.EVENT, b"not mine to write")
    assert await link.flush(PATIENCE_S)
    await link.close()
    assert controller.rows == {}
