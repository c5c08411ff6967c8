"""Commands on a site: refused with a reason, carried out, held against curtailment."""

from pathlib import Path

import pytest

from agent.buffer.errors import StorageFullError
from agent.site.role import SiteRole
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from shared.messages.actions import Action, Comparison, Condition, Reboot, SetSetpoint, SwitchOutlet
from shared.messages.command import Command
from shared.messages.event import EventKind
from shared.messages.reply import ReplyState
from shared.setpoints import Preset, Run, Stop
from tests.integration.agent.site.rig import QUARTER_MS, START_MS, Hardware, site, until


def command(action: Action, *conditions: Condition) -> Command:
    return Command(
        "1", "site-a-01", 1, 1, "ana", START_MS, START_MS, START_MS + 1, action, conditions
    )


def why_not(role: SiteRole, action: Action, *conditions: Condition) -> str | None:
    return role.executor.why_not(command(action, *conditions))


async def test_what_a_site_cannot_do_is_refused_with_the_reason(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        await rig.role.ready()
        role = rig.role
        stop = SetSetpoint("miner-1", Stop())
        assert why_not(role, stop) is None
        assert "no device" in str(why_not(role, SetSetpoint("miner-9", Stop())))
        assert "no setpoint" in str(why_not(role, SetSetpoint("pdu-1", Stop())))
        assert "no preset" in str(why_not(role, SetSetpoint("miner-1", Preset("warp"))))
        assert "rebooted" in str(why_not(role, Reboot("main")))
        assert "no outlet 99" in str(why_not(role, SwitchOutlet("pdu-1", 99, closed=False)))
        assert "no outlets" in str(why_not(role, SwitchOutlet("miner-1", 1, closed=False)))
        for metric, comparison, value, holds in (
            ("mining", Comparison.EQUAL, True, True),
            ("mining", Comparison.EQUAL, False, False),
            ("hashrate_ths", Comparison.AT_LEAST, 100, True),
            ("hashrate_ths", Comparison.AT_MOST, 100, False),
            ("mining", Comparison.AT_LEAST, True, False),
            ("state", Comparison.EQUAL, "mining", True),
            ("never_heard_of", Comparison.EQUAL, 1, False),
        ):
            found = why_not(role, stop, Condition("miner-1", metric, comparison, value))
            assert (found is None) == holds


async def test_an_order_is_read_back_and_a_lie_is_unverified(tmp_path: Path) -> None:
    hardware = Hardware(2)
    async with hardware.running(), site(tmp_path, hardware, enabled=False, settle_s=1.0) as rig:
        rig.start()
        await rig.role.ready()
        hardware.scripts[1].order(Misbehaviour.LIE)
        done = await rig.role.executor.carry_out("1", SetSetpoint("miner-1", Stop()))
        lied = await rig.role.executor.carry_out("2", SetSetpoint("miner-2", Stop()))
        assert done.state is ReplyState.DONE
        assert done.readback["mining"] is False
        assert (lied.state, lied.problem) == (ReplyState.UNVERIFIED, "not_followed")


async def test_an_outlet_is_switched_and_its_contact_read_back(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        await rig.role.ready()
        action = SwitchOutlet("pdu-1", 1, closed=False)
        outcome = await rig.role.executor.carry_out("1", action)
        assert outcome.state is ReplyState.DONE
        assert outcome.readback["outlet.1.closed"] is False
        assert not hardware.miners[0].powered


async def test_a_held_setpoint_withstands_the_price_until_the_hold_ends(tmp_path: Path) -> None:
    hardware = Hardware(2)
    hardware.price(1, "500")
    hardware.price(2, "501")
    async with hardware.running(), site(tmp_path, hardware) as rig:
        rig.start()
        await rig.role.ready()
        action = SetSetpoint("miner-1", Run(), hold_ms=3 * QUARTER_MS - 1)
        outcome = await rig.role.executor.carry_out("1", action)
        assert outcome.state is ReplyState.DONE
        rig.clock.time_ms = START_MS + 2 * QUARTER_MS
        await until(lambda: not hardware.miners[1].mining)
        assert hardware.miners[0].mining
        rig.clock.time_ms = START_MS + 3 * QUARTER_MS
        await until(lambda: not hardware.miners[0].mining)


async def test_a_full_disk_switches_nothing_but_still_makes_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware = Hardware(1)
    running = hardware.running()
    async with running, site(tmp_path, hardware, enabled=False, on_exit="stop") as rig:
        rig.start()
        await rig.role.ready()

        async def full(*_: object, **__: object) -> None:
            raise StorageFullError("the disk is full")

        monkeypatch.setattr(rig.database, "write", full)
        outcome = await rig.role.executor.carry_out("1", SetSetpoint("miner-1", Stop()))
        assert (outcome.state, outcome.problem) == (ReplyState.FAILED, "storage")
        assert [miner.mining for miner in hardware.miners] == [True]
        await rig.supervisor.stop()
        await rig.role.make_safe()
        assert [miner.mining for miner in hardware.miners] == [False]
        monkeypatch.undo()
        assert await rig.events(EventKind.WRITE) == []


async def test_the_decisions_of_one_interval_share_its_ramp(tmp_path: Path) -> None:
    hardware = Hardware(3)
    hardware.price(0, "500")
    hardware.price(1, "501")
    async with hardware.running(), site(tmp_path, hardware, ramp_down_kw=3) as rig:
        rig.start()
        await rig.role.ready()
        rig.clock.time_ms = START_MS + QUARTER_MS
        await until(lambda: sum(miner.mining for miner in hardware.miners) == 2)
        curtailer = rig.role.curtailer
        assert curtailer is not None
        for _ in range(5):
            await curtailer.evaluate()
        assert sum(miner.mining for miner in hardware.miners) == 2
        rig.clock.time_ms = START_MS + 2 * QUARTER_MS
        await until(lambda: sum(miner.mining for miner in hardware.miners) == 1)
