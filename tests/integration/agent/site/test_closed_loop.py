"""A price closes the loop: decided, switched, read back through the PDU, reported."""

from pathlib import Path

from firmware_bridges.simulators.misbehaviour import Misbehaviour
from shared.messages.event import Event, EventKind
from tests.integration.agent.site.rig import (
    QUARTER_MS,
    START_MS,
    Hardware,
    site,
    until,
    until_events,
)


def outcomes(events: list[Event]) -> list[tuple[str | None, str]]:
    return [(event.device, event.data["outcome"]) for event in events]


async def test_a_price_above_breakeven_stops_every_miner_and_a_low_one_starts_them_again(
    tmp_path: Path,
) -> None:
    hardware = Hardware(3)
    hardware.price(1, "150")
    async with hardware.running(), site(tmp_path, hardware) as rig:
        rig.start()
        await until(lambda: rig.role.curtailer is not None and rig.role.curtailer.last is not None)
        assert all(miner.mining for miner in hardware.miners)
        rig.clock.time_ms = START_MS + 2 * QUARTER_MS
        writes = await until_events(rig, EventKind.WRITE, lambda found: len(found) >= 3)
        assert sorted(outcomes(writes)) == [(f"miner-{n}", "done") for n in (1, 2, 3)]
        assert not any(miner.mining for miner in hardware.miners)
        assert {event.data["readback"]["power_source"] for event in writes} == {"pdu"}
        rig.clock.time_ms = START_MS + 3 * QUARTER_MS
        writes = await until_events(rig, EventKind.WRITE, lambda found: len(found) >= 6)
        assert all(miner.mining for miner in hardware.miners)
        decisions = await rig.events(EventKind.DECISION)
        moved = [event for event in decisions if event.data["assignments"]]
        assert [event.data["price_usd_per_mwh"] for event in moved] == ["150.0000", "50.0000"]
        assert moved[0].data["reason"] == "last_known_price"
        assert moved[0].data["assignments"][0]["reason"] == "unprofitable"


async def test_a_miner_that_lies_is_reported_unverified_and_left_alone_until_the_next_price(
    tmp_path: Path,
) -> None:
    hardware = Hardware(2)
    hardware.price(0, "150")
    async with hardware.running(), site(tmp_path, hardware, settle_s=1.0) as rig:
        rig.clock.time_ms = START_MS + 1
        rig.start()
        await rig.role.ready()
        hardware.scripts[0].order(Misbehaviour.LIE)
        rig.clock.time_ms = START_MS + QUARTER_MS
        writes = await until_events(rig, EventKind.WRITE, lambda found: len(found) >= 2)
        assert sorted(outcomes(writes)) == [("miner-1", "unverified"), ("miner-2", "done")]
        assert hardware.miners[0].mining
        await until_events(
            rig,
            EventKind.ALARM,
            lambda found: (
                [(e.device, e.data["code"]) for e in found] == [("miner-1", "not_following")]
            ),
        )
        decided = len(await rig.events(EventKind.WRITE))
        hardware.scripts[0].clear()
        hardware.price(1, "160")
        rig.clock.time_ms = START_MS + 2 * QUARTER_MS
        writes = await until_events(rig, EventKind.WRITE, lambda found: len(found) > decided)
        assert outcomes(writes)[-1] == ("miner-1", "done")
        alarms = await until_events(rig, EventKind.ALARM, lambda found: len(found) >= 2)
        assert alarms[-1].data["raised"] is False


async def test_stale_prices_lead_to_the_safe_mode_and_an_alarm(tmp_path: Path) -> None:
    hardware = Hardware(2)
    async with hardware.running(), site(tmp_path, hardware, safe_mode="stop") as rig:
        rig.start()
        await rig.role.ready()
        rig.market.silent_from_ms = START_MS
        rig.clock.time_ms = START_MS + 8 * QUARTER_MS
        await until(lambda: not any(miner.mining for miner in hardware.miners))
        decisions = await rig.events(EventKind.DECISION)
        assert decisions[-1].data["reason"] == "safe_mode_stale_price"
        alarms = await rig.events(EventKind.ALARM)
        assert ("price_stale", True) in [(e.data["code"], e.data["raised"]) for e in alarms]


async def test_the_last_prices_are_known_after_a_restart_without_the_feed(tmp_path: Path) -> None:
    hardware = Hardware(1)
    hardware.price(-1, "77.5")
    async with hardware.running():
        async with site(tmp_path, hardware) as rig:
            rig.start()
            await until(lambda: rig.role.market().last_price(START_MS) is not None)
        async with site(tmp_path, hardware) as rig:
            price = rig.role.market().last_price(START_MS)
            assert price is not None
            assert str(price.usd_per_mwh) == "77.5"
