"""What a crash cut off is read back first, and ends once."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from agent.site import intents
from agent.site.intents import Order
from shared.messages.actions import Reboot, SetSetpoint
from shared.messages.event import EventKind
from shared.messages.reply import ReplyState
from shared.setpoints import Run, Setpoint, Stop
from tests.integration.agent.site.rig import START_MS, Hardware, Rig, site, until_events


async def leave_open(rig: Rig, setpoint: Setpoint, cause: str, expires_ms: int) -> None:
    order = Order(SetSetpoint("miner-1", setpoint), cause, expires_ms)
    await rig.database.write(partial(intents.begin, orders=[order], now_ms=START_MS))


async def recovered(
    folder: Path, hardware: Hardware, setpoint: Setpoint, expires_ms: int
) -> Mapping[str, Any]:
    """What is told of a write that a crash left open, after a start that takes it up."""
    async with site(folder, hardware, enabled=False) as rig:
        await leave_open(rig, setpoint, "decision: test", expires_ms)
    async with site(folder, hardware, enabled=False) as rig:
        rig.start()
        writes = await until_events(rig, EventKind.WRITE, bool)
    return writes[0].data


async def test_a_write_that_had_reached_the_device_is_done_and_not_repeated(
    tmp_path: Path,
) -> None:
    hardware = Hardware(1)
    async with hardware.running():
        told = await recovered(tmp_path, hardware, Run(), START_MS + 10**9)
        assert told["outcome"] == "done"
        assert hardware.simulators[0].writes == []


async def test_a_write_that_had_not_begun_is_finished_while_it_is_still_wanted(
    tmp_path: Path,
) -> None:
    hardware = Hardware(2)
    async with hardware.running():
        told = await recovered(tmp_path, hardware, Stop(), START_MS + 10**9)
        assert told["outcome"] == "done"
        assert not hardware.miners[0].mining


async def test_a_write_whose_time_has_passed_is_abandoned(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running():
        told = await recovered(tmp_path, hardware, Stop(), START_MS - 1)
        assert told["problem"] == "expired"
        assert hardware.miners[0].mining


async def test_an_intent_of_a_command_is_left_to_its_command(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running():
        async with site(tmp_path, hardware, enabled=False) as rig:
            await leave_open(rig, Stop(), "command: 17", START_MS + 10**9)
        async with site(tmp_path, hardware, enabled=False) as rig:
            rig.start()
            await rig.role.ready()
            assert await rig.events(EventKind.WRITE) == []
            action = SetSetpoint("miner-1", Stop())
            outcome = await rig.role.executor.recover("17", action)
            assert outcome.state is ReplyState.DONE
            again = await rig.role.executor.recover("17", action)
            assert again.state is ReplyState.DONE
            assert len(await rig.events(EventKind.WRITE)) == 1


async def test_a_reboot_that_was_cut_off_is_not_repeated(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running():
        async with site(tmp_path, hardware, enabled=False) as rig:
            order = Order(Reboot("miner-1"), "command: 9", START_MS + 10**9)
            await rig.database.write(partial(intents.begin, orders=[order], now_ms=START_MS))
        await asyncio.sleep(1.1)  # so that the uptime is above zero
        async with site(tmp_path, hardware, enabled=False) as rig:
            rig.start()
            await rig.role.ready()
            outcome = await rig.role.executor.recover("9", Reboot("miner-1"))
            assert outcome.state is ReplyState.UNVERIFIED
            assert hardware.simulators[0].writes == []


async def test_leaving_makes_safe_where_the_configuration_says_stop(tmp_path: Path) -> None:
    hardware = Hardware(2)
    async with hardware.running():
        async with site(tmp_path, hardware, on_exit="stop") as rig:
            rig.start()
            await rig.role.ready()
            await rig.supervisor.stop()
            await rig.role.make_safe()
            assert not any(miner.mining for miner in hardware.miners)
        async with site(tmp_path, hardware, enabled=False) as rig:
            rig.start()
            writes = await until_events(rig, EventKind.WRITE, lambda found: len(found) == 2)
            assert [event.data["outcome"] for event in writes] == ["done", "done"]
