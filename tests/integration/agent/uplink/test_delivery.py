"""Accepted rows reach the controller, whatever becomes of broker and controller meanwhile."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.uplink.state import PlanSettings, Stream
from shared.messages.event import Event, EventKind, Severity
from tests.agents import eventually
from tests.brokers import Broker
from tests.integration.agent.uplink.conftest import IMPATIENT, Site, close_site, open_site
from tests.integration.agent.uplink.controllers import FakeController

STARTED = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})


def _all_arrived(site: Site, controller: FakeController) -> bool:
    return all(
        controller.committed(site.database.streams[stream]) == site.accepted(stream)
        for stream in Stream
    )


async def test_rows_accepted_while_the_broker_is_killed_and_wiped_arrive_once(
    site: Site, broker: Broker, controller: FakeController
) -> None:
    await site.record(50)
    site.start()
    await site.record(200)
    await site.recorder.event(STARTED)
    await eventually(lambda: controller.rows)
    broker.kill()
    broker.wipe()
    await site.record(300)
    await site.recorder.event(STARTED)
    await eventually(lambda: not site.uplink.status.connected)
    broker.start()
    await site.record(100)
    await site.empty()
    assert _all_arrived(site, controller)
    assert site.accepted(Stream.TELEMETRY) == set(range(1, 651))
    assert site.uplink.status.connections >= 2


async def test_a_backlog_larger_than_many_batches_arrives_as_history(
    tmp_path: Path, broker: Broker, controller: FakeController
) -> None:
    site = await open_site(tmp_path / "backlog", broker, PlanSettings())
    await asyncio.gather(*[site.record(300) for _ in range(20)])
    site.start()
    await site.empty()
    assert _all_arrived(site, controller)
    assert len(controller.historical) == 6_000
    assert all(controller.historical.values())
    await site.record(3)
    await site.empty()
    assert not any(controller.historical[seq] for seq in (6_001, 6_002, 6_003))
    await close_site(site)


async def test_rows_wait_for_a_controller_that_does_not_ack_and_are_sent_again(
    site: Site, controller: FakeController
) -> None:
    controller.acks = False
    site.start()
    await site.record(20)
    await site.recorder.event(STARTED)
    await eventually(lambda: controller.deliveries and max(controller.deliveries.values()) >= 2)
    assert await site.kept(Stream.TELEMETRY) == 20
    assert await site.kept(Stream.EVENT) == 1
    controller.acks = True
    await site.empty()
    assert _all_arrived(site, controller)


async def test_rows_wait_while_no_controller_listens_and_go_when_one_does(
    site: Site, broker: Broker
) -> None:
    site.start()
    await eventually(lambda: site.uplink.status.connected)
    await site.record(40)
    await site.recorder.event(STARTED)
    await eventually(lambda: site.uplink.nobody_listens)
    assert await site.kept(Stream.TELEMETRY) == 40
    late = FakeController(broker)
    late.start()
    await site.empty()
    assert _all_arrived(site, late)
    assert not site.uplink.nobody_listens
    late.stop()


async def test_what_one_process_left_the_next_one_sends(
    tmp_path: Path, broker: Broker, controller: FakeController
) -> None:
    controller.acks = False
    first = await open_site(tmp_path / "again", broker)
    first.start()
    await first.record(30)
    await eventually(lambda: len(controller.rows) == 30)
    await close_site(first)
    controller.acks = True
    second = await open_site(tmp_path / "again", broker)
    assert second.database.streams == first.database.streams
    second.start()
    await second.record(10)
    await second.empty()
    assert _all_arrived(second, controller)
    assert second.accepted(Stream.TELEMETRY) == set(range(1, 41))
    await close_site(second)


async def test_a_link_that_went_silent_is_given_up(
    tmp_path: Path, broker: Broker, controller: FakeController
) -> None:
    site = await open_site(tmp_path / "silent", broker, replace(IMPATIENT, silent_after_s=1.0))
    site.start()
    await site.record(5)
    await site.empty()
    broker.pause()
    await site.record(5)
    await eventually(lambda: not site.uplink.status.connected)
    broker.resume()
    await site.empty()
    assert _all_arrived(site, controller)
    await close_site(site)


async def test_stopping_waits_for_the_last_acks(site: Site, controller: FakeController) -> None:
    site.start()
    await eventually(lambda: site.uplink.status.connected)
    await site.record(50)
    await site.recorder.event(STARTED)
    await site.uplink.stop(drain_s=30.0)
    await site.running[0]
    assert _all_arrived(site, controller)
    assert await site.kept(Stream.TELEMETRY) == 0
    await eventually(lambda: controller.states and not controller.states[-1].online)


async def test_a_part_of_the_uplink_that_breaks_ends_it_and_it_can_run_again(
    site: Site, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise LookupError("a defect")

    deleter = site.uplink._deleter
    with monkeypatch.context() as patched:
        patched.setattr(deleter, "run", broken)
        with pytest.raises(LookupError):
            await site.uplink.run()
    assert not site.uplink.status.connected
    site.start()
    await site.record(5)
    await site.empty()
    assert _all_arrived(site, controller)
