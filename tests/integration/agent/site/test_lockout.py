"""Nobody energises what a person has locked out, until that person lifts it."""

from functools import partial
from pathlib import Path

import pytest

from agent.site import intents, lockout
from agent.site.intents import IntentState, Order
from agent.site.lockout import Lockout
from shared.errors import BadInputError
from shared.messages.actions import Reboot, SetSetpoint, SwitchOutlet
from shared.messages.event import EventKind
from shared.messages.reply import ReplyState
from shared.setpoints import Run, Stop
from tests.integration.agent.site.rig import START_MS, Hardware, Rig, site, until, until_events

LOCK = Lockout("miner-1", "Ana", "fan replacement", START_MS)


async def lock(rig: Rig, wanted: Lockout = LOCK) -> bool:
    return await rig.database.write(partial(lockout.lock, lockout=wanted))


async def lift(rig: Rig, person: str) -> None:
    await rig.database.write(
        partial(lockout.lift, device="miner-1", person=person, now_ms=START_MS)
    )


async def test_a_locked_miner_is_stopped_and_nothing_starts_it_until_the_lock_is_lifted(
    tmp_path: Path,
) -> None:
    hardware = Hardware(2)
    async with hardware.running(), site(tmp_path, hardware) as rig:
        rig.start()
        await rig.role.ready()
        await lock(rig)
        await until(lambda: not hardware.miners[0].mining)
        assert hardware.miners[1].mining
        for action in (
            SetSetpoint("miner-1", Run()),
            Reboot("miner-1"),
            SwitchOutlet("pdu-1", 1, closed=True),
        ):
            outcome = await rig.role.executor.carry_out(f"order-{action.name}", action)
            assert (outcome.state, outcome.problem) == (ReplyState.REFUSED, "locked_out")
            assert "Ana" in outcome.text
        assert not hardware.miners[0].mining
        await lift(rig, "Ana")
        await until(lambda: hardware.miners[0].mining)
        told = [event.data["locked"] for event in await rig.events(EventKind.LOCKOUT)]
        assert told == [True, False]


async def test_a_locked_device_may_still_be_stopped(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware, enabled=False) as rig:
        rig.start()
        await rig.role.ready()
        await lock(rig)
        outcome = await rig.role.executor.carry_out("stop", SetSetpoint("miner-1", Stop()))
        assert outcome.state is ReplyState.DONE
        assert not hardware.miners[0].mining


async def test_only_the_person_who_locked_can_lift_and_each_lifts_their_own(
    tmp_path: Path,
) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware) as rig:
        await lock(rig)
        await lock(rig, Lockout("miner-1", "Ben", "wiring", START_MS))
        with pytest.raises(BadInputError):
            await lock(rig)
        with pytest.raises(BadInputError):
            await lift(rig, "Carl")
        await lift(rig, "Ana")
        left = await rig.database.read(lockout.lockouts)
        assert [held.person for held in left] == ["Ben"]
        assert len(await rig.events(EventKind.LOCKOUT)) == 3


async def test_who_locks_is_told_that_a_write_is_still_in_flight(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running(), site(tmp_path, hardware) as rig:
        order = Order(SetSetpoint("miner-1", Run()), "decision: test", START_MS + 1)
        (intent,) = await rig.database.write(
            partial(intents.begin, orders=[order], now_ms=START_MS)
        )
        assert isinstance(intent, intents.Intent)
        assert await lock(rig) is True
        done = intents.Outcome(IntentState.DONE)
        await rig.database.write(
            partial(intents.finish, intent=intent, outcome=done, now_ms=START_MS)
        )
        assert not await rig.database.read(partial(lockout.writes_in_flight, device="miner-1"))


async def test_a_crash_does_not_energise_a_miner_that_was_locked_meanwhile(tmp_path: Path) -> None:
    hardware = Hardware(1)
    async with hardware.running():
        async with site(tmp_path, hardware, enabled=False) as rig:
            hardware.miners[0].apply(Stop())
            order = Order(SetSetpoint("miner-1", Run()), "decision: test", START_MS + 10**9)
            await rig.database.write(partial(intents.begin, orders=[order], now_ms=START_MS))
            await lock(rig)
        async with site(tmp_path, hardware, enabled=False) as rig:
            rig.start()
            writes = await until_events(rig, EventKind.WRITE, bool)
            assert (writes[0].data["outcome"], writes[0].data["problem"]) == (
                "abandoned",
                "locked_out",
            )
            assert not hardware.miners[0].mining
