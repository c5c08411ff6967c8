"""Commands over a real database: written down, acted on once, answered."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from agent.commands.executor import Outcome
from agent.commands.policy import CommandPolicy
from agent.database import StorageFullError
from shared.host.tracing import Span, collecting, command_place
from shared.messages import cbor
from shared.messages.command import Command, sign
from shared.messages.reply import ReplyState
from tests.integration.agent.commands.node import World, running
from tests.integration.agent.commands.sending import send, states
from tests.unit.agent.commands.orders import KEY, KEY_ID, KEYS, NOW_MS, OTHER_KEY, order, signed


async def test_a_command_is_accepted_acted_on_once_and_answered(tmp_path: Path) -> None:
    world = World(outcome=Outcome(ReplyState.DONE, readback={"miner_power_w": 0}))
    async with running(tmp_path, world) as node:
        command = await send(node, 1)
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "done"]
    assert replies[-1].readback == {"miner_power_w": 0}
    assert world.touched == [command.id]


async def test_what_is_done_for_a_command_is_in_the_trace_that_its_giver_began(
    tmp_path: Path,
) -> None:
    ended: list[Span] = []
    with collecting(ended.append):
        async with running(tmp_path, World()) as node:
            command = await send(node, 1)
            await node.commands.idle()
    (done,) = [one for one in ended if one.name == "carry out command"]
    assert done.parent == command_place(command.id)
    assert done.place.trace == command_place(command.id).trace


async def test_accepted_does_not_wait_for_the_device(tmp_path: Path) -> None:
    world = World(steps=asyncio.Semaphore(0))
    async with running(tmp_path, world) as node:
        command = await send(node, 1)
        assert states(await node.replies(), command.id) == ["accepted"]
        assert world.touched == []


async def test_commands_to_one_device_keep_their_order(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        for seq in range(1, 8):
            await send(node, seq)
        await node.commands.idle()
    assert world.touched == [f"command-{seq}" for seq in range(1, 8)]


async def test_a_device_that_hangs_does_not_hold_up_another(tmp_path: Path) -> None:
    world = World(steps=asyncio.Semaphore(2))
    async with running(tmp_path, world) as node:
        world.steps = asyncio.Semaphore(0)
        await send(node, 1, "miner-1")
        await node.settled()
        world.steps = None
        second = await send(node, 2, "miner-2")
        while states(await node.replies(), second.id) != ["accepted", "done"]:
            await node.settled()
        assert world.touched == [second.id]


async def test_the_same_message_again_moves_nothing_and_gets_its_answer(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        command = await send(node, 1)
        await node.commands.idle()
        await send(node, 1)
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "done", "done"]
    assert world.touched == [command.id]
    assert node.commands.stats.repeated == 1


async def test_copies_that_arrive_at_once_act_once(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        message = signed(order(1, stream=node.stream))
        await asyncio.gather(*(node.commands.receive(message) for _ in range(20)))
        await node.commands.idle()
    assert world.touched == ["command-1"]


async def test_another_command_at_an_old_number_is_refused(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        await send(node, 5)
        await send(node, 5, id="another")
        await send(node, 3, id="older")
        await node.commands.idle()
        replies = await node.replies()
    assert [r.problem for r in replies if r.command_id in {"another", "older"}] == [
        "old_number"
    ] * 2
    assert world.touched == ["command-5"]


async def test_missing_numbers_are_reported_once(tmp_path: Path) -> None:
    async with running(tmp_path, World()) as node:
        await send(node, 4)
        await send(node, 5)
        events = await node.told("commands_missed")
    assert [(e.data["first"], e.data["last"]) for e in events] == [(1, 3)]


def altered(message: bytes) -> bytes:
    frame = cbor2.loads(message)
    protected, unprotected, payload, signature = frame.value
    fields = cbor2.loads(payload) | {"seq": 99}
    changed = [protected, unprotected, cbor.encode(fields), signature]
    return cbor.encode(cbor2.CBORTag(18, changed))


@pytest.mark.parametrize(
    "forge",
    [
        lambda command: sign(command, OTHER_KEY, KEY_ID),
        lambda command: sign(command, OTHER_KEY, b"unknown"),
        lambda command: altered(signed(command)),
        lambda command: command.encode(),
        lambda _command: b"\xff" * 40,
        lambda _command: b"",
    ],
    ids=["wrong key", "unknown key", "altered", "bare", "garbage", "empty"],
)
async def test_what_nobody_trusted_signed_moves_nothing_and_is_told_of(
    tmp_path: Path, forge: Callable[[Command], bytes]
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        for _ in range(5):
            await node.commands.receive(forge(order(1, stream=node.stream)))
        await node.commands.idle()
        replies, told = await node.replies(), await node.told("commands_unproven")
    assert world.touched == []
    assert replies == []
    assert len(told) == 1, "one report a minute, not one a message"
    assert node.commands.stats.unproven == 5


@pytest.mark.parametrize(
    ("changes", "state", "problem"),
    [
        ({"node": "site-b-01"}, "refused", "foreign_node"),
        ({"stream": 1}, "refused", "foreign_stream"),
        ({"expires_at_ms": NOW_MS}, "expired", "too_late"),
        ({"not_before_ms": NOW_MS + 1}, "refused", "not_yet"),
    ],
)
async def test_a_well_signed_command_that_must_not_act_is_answered(
    tmp_path: Path, changes: dict[str, Any], state: str, problem: str
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        command = order(1, **{"stream": node.stream, **changes})
        await node.commands.receive(signed(command))
        await node.commands.idle()
        (reply,) = await node.replies()
    assert (reply.state.value, reply.problem) == (state, problem)
    assert reply.text
    assert world.touched == []


async def test_a_signed_message_with_a_wrong_field_is_refused_by_name(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        frame = cbor2.loads(signed(order(1, stream=node.stream)))
        protected = frame.value[0]
        fields = cbor2.loads(frame.value[2]) | {"action": "explode"}
        payload = cbor.encode(fields)
        signature = KEY.sign(cbor.encode(["Signature1", protected, b"", payload]))
        message = cbor.encode(cbor2.CBORTag(18, [protected, {}, payload, signature]))
        await node.commands.receive(message)
        (reply,) = await node.replies()
    assert (reply.state, reply.problem) == (ReplyState.REFUSED, "malformed")
    assert "action" in reply.text
    assert "setpoint" in reply.text


async def test_a_lockout_that_comes_while_a_command_waits_still_stops_it(tmp_path: Path) -> None:
    world = World(steps=asyncio.Semaphore(0))
    async with running(tmp_path, world) as node:
        first, second = await send(node, 1), await send(node, 2)
        await node.settled()
        world.locked.add("miner-1")
        assert world.steps is not None
        for _ in range(4):
            world.steps.release()
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, first.id) == ["accepted", "done"]
    assert states(replies, second.id) == ["accepted", "refused"]
    assert world.touched == [first.id]


async def test_a_command_that_waits_beyond_its_end_expires(tmp_path: Path) -> None:
    world = World(steps=asyncio.Semaphore(0))
    async with running(tmp_path, world) as node:
        await send(node, 1)
        second = await send(node, 2)
        await node.settled()
        world.time_ms = second.expires_at_ms
        world.steps.release() if world.steps else None
        world.steps.release() if world.steps else None
        await node.commands.idle()
        assert states(await node.replies(), second.id) == ["accepted", "expired"]
    assert second.id not in world.touched


async def test_an_error_of_the_role_is_answered_as_unverified(tmp_path: Path) -> None:
    world = World(error=RuntimeError("a bug"))
    async with running(tmp_path, world) as node:
        command = await send(node, 1)
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, command.id) == ["accepted", "unverified"]
    assert replies[-1].problem == "crashed"


async def test_a_readback_that_cannot_be_encoded_still_gets_an_answer(tmp_path: Path) -> None:
    world = World(outcome=Outcome(ReplyState.DONE, readback={"device": object()}))
    async with running(tmp_path, world) as node:
        command = await send(node, 1)
        await node.commands.idle()
        assert states(await node.replies(), command.id) == ["accepted", "unverified"]


async def test_one_device_takes_only_so_many_open_commands(tmp_path: Path) -> None:
    world = World(steps=asyncio.Semaphore(0))
    async with running(tmp_path, world, CommandPolicy(KEYS, most_open=3)) as node:
        for seq in range(1, 5):
            await send(node, seq)
        await send(node, 5, "miner-2")
        replies = await node.replies()
    assert states(replies, "command-3") == ["accepted"]
    assert states(replies, "command-4") == ["refused"]
    assert states(replies, "command-5") == ["accepted"]


async def test_replays_cannot_fill_the_event_stream(tmp_path: Path) -> None:
    async with running(tmp_path, World()) as node:
        foreign = signed(order(1, node="site-b-01", stream=node.stream))
        for _ in range(40):
            await asyncio.gather(*(node.commands.receive(foreign) for _ in range(25)))
        assert len(await node.replies()) < 500
        assert node.commands.stats.silenced > 0


async def test_pruning_forgets_no_number_and_no_answer_that_may_be_asked_for(
    tmp_path: Path,
) -> None:
    world = World()
    async with running(tmp_path, world, CommandPolicy(KEYS, keep_ms=1_000)) as node:
        first = await send(node, 1)
        second = await send(node, 2, expires_at_ms=NOW_MS + 7 * 86_400_000)
        await node.commands.idle()
        world.time_ms = first.expires_at_ms + 2_000
        assert await node.commands.keep_house() == 1
        await node.commands.receive(signed(second))
        await send(node, 1, id="fresh", expires_at_ms=NOW_MS + 7 * 86_400_000)
        await node.commands.idle()
        replies = await node.replies()
    assert states(replies, second.id) == ["accepted", "done", "done"]
    assert [r.problem for r in replies if r.command_id == "fresh"] == ["old_number"]
    assert world.touched == [first.id, second.id]


async def test_nothing_is_pruned_by_a_clock_that_jumped(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path, world, CommandPolicy(KEYS, keep_ms=1)) as node:
        await send(node, 1)
        await node.commands.idle()
        world.time_ms += 10**9
        world.clock_trusted = False
        assert await node.commands.keep_house() == 0


async def test_a_full_disk_accepts_nothing_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    async with running(tmp_path, world) as node:

        async def full(_fn: Callable[[sqlite3.Connection], object]) -> object:
            raise StorageFullError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(node.database, "write", full)
            with pytest.raises(StorageFullError):
                await send(node, 1)
        await node.commands.idle()
        assert world.touched == []
        await send(node, 1)
        await node.commands.idle()
    assert world.touched == ["command-1"]


async def test_a_caller_that_is_cancelled_leaves_no_command_waiting_for_a_restart(
    tmp_path: Path,
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        message = signed(order(1, stream=node.stream))
        receiving = asyncio.create_task(node.commands.receive(message))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        receiving.cancel()
        while "command-1" not in world.touched:
            await node.settled()
        await node.commands.idle()
        assert states(await node.replies(), "command-1") == ["accepted", "done"]


async def test_a_lost_database_refuses_what_was_meant_for_the_old_one(tmp_path: Path) -> None:
    world = World()
    async with running(tmp_path / "old", world) as node:
        message = signed(order(1, stream=node.stream))
    async with running(tmp_path / "new", world) as node:
        await node.commands.receive(message)
        await node.commands.idle()
        (reply,) = await node.replies()
    assert reply.problem == "foreign_stream"
    assert world.touched == []
