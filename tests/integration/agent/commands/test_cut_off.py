"""Commands that a crash, a jump of the clock or their end cuts off."""

import asyncio
from pathlib import Path

import pytest

from agent.commands.judge import Moment
from agent.commands.policy import CommandPolicy
from shared.messages.command import Command
from tests.integration.agent.commands.node import World, begin, running
from tests.integration.agent.commands.sending import send, states


async def cut_after(folder: Path, world: World, steps: int) -> Command:
    """A life that is cut off once its one command went so many steps."""
    world.steps = asyncio.Semaphore(0)
    async with asyncio.timeout(120):
        node = await begin(folder, world)
        command = await send(node, 1)
        await node.settled()
        for _ in range(steps):
            world.steps.release()
            await node.settled()
        await node.cut_off()
    world.steps = None
    return command


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_command_cut_off_while_acting_is_read_back_and_acts_once(
    tmp_path: Path, steps: int
) -> None:
    world = World()
    command = await cut_after(tmp_path, world, steps)
    assert world.touched == [command.id] * steps
    async with running(tmp_path, world) as node:
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "done"]
    assert world.recovered == [command.id]
    assert world.touched == [command.id]


async def test_a_cut_off_command_that_expired_meanwhile_is_not_finished(tmp_path: Path) -> None:
    world = World()
    command = await cut_after(tmp_path, world, 0)
    world.time_ms = command.expires_at_ms
    async with running(tmp_path, world) as node:
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "unverified"]
    assert replies[-1].problem == "cut_off"
    assert world.touched == []


async def test_a_command_whose_key_is_withdrawn_meanwhile_is_not_finished(tmp_path: Path) -> None:
    world = World()
    command = await cut_after(tmp_path, world, 0)
    async with running(tmp_path, world, CommandPolicy({})) as node:
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "unverified"]
    assert world.touched == []


class TurningWorld(World):
    """Something happens to its time when it is looked at for the `looks`th time from now."""

    looks = 10**9
    later_ms = 0
    trusted = True

    def moment(self) -> Moment:
        self.looks -= 1
        if self.looks == 0:
            self.time_ms += self.later_ms
            self.clock_trusted = self.trusted
        return super().moment()


@pytest.mark.parametrize(
    ("later_ms", "trusted", "problem"),
    [(0, False, "clock_untrusted"), (60_000, True, "too_late")],
    ids=["jump", "end"],
)
async def test_what_happens_to_its_time_while_acting_is_written_down_stops_a_command(
    tmp_path: Path, later_ms: int, trusted: bool, problem: str
) -> None:
    world = TurningWorld()
    world.later_ms, world.trusted = later_ms, trusted
    async with running(tmp_path, world) as node:
        world.looks = 3
        command = await send(node, 1)
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "refused"]
    assert replies[-1].problem == problem
    assert world.touched == []


@pytest.mark.parametrize(("later_ms", "trusted"), [(0, False), (60_000, True)], ids=["jump", "end"])
async def test_the_same_before_a_recovery_leaves_the_command_in_doubt(
    tmp_path: Path, later_ms: int, trusted: bool
) -> None:
    world = TurningWorld()
    world.later_ms, world.trusted = later_ms, trusted
    command = await cut_after(tmp_path, world, 0)
    world.looks = 2
    async with running(tmp_path, world) as node:
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "unverified"]
    assert replies[-1].problem == "cut_off"
    assert (world.touched, world.recovered) == ([], [])
