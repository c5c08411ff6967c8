"""No command acts twice, and none that must not, under any interleaving.

Random lives of a node over a real database: deliveries, copies, forgeries, time, clock jumps,
lock-outs, steps of devices, crashes in the middle of whatever is going on, restarts. The events
and the touched devices are then held against what the rules allow.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.messages.command import Command, sign
from shared.messages.reply import TERMINAL, Reply, ReplyState
from tests.integration.agent.commands.node import Node, World, at_once, begin
from tests.unit.agent.commands.orders import KEY_ID, NODE, OTHER_KEY, order, signed


class Flaw(Enum):
    """What is wrong with a command, if anything."""

    NONE = auto()
    UNSIGNED = auto()
    OTHER_NODE = auto()
    OTHER_STREAM = auto()
    EXPIRED = auto()
    EARLY = auto()


@dataclass(frozen=True)
class Make:
    """A new command, delivered at once, its number so far from the highest one sent."""

    ahead: int
    device: int
    flaw: Flaw


@dataclass(frozen=True)
class Again:
    """One of the commands made so far is delivered once more."""

    which: int


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    ms: int


@dataclass(frozen=True)
class Step:
    """The devices go on by so many steps."""

    count: int


@dataclass(frozen=True)
class Lock:
    """A device is locked out, or released."""

    device: int
    locked: bool


@dataclass(frozen=True)
class Jump:
    """The clock is set by someone, or is right again."""

    ms: int
    trusted: bool


@dataclass(frozen=True)
class Crash:
    """The agent is cut off and started again."""


Happening = Make | Again | Pass | Step | Lock | Jump | Crash

_devices = st.integers(1, 2)
_makes = st.builds(
    Make,
    st.sampled_from([1, 1, 1, 1, 2, 0, -1, -2]),
    _devices,
    st.sampled_from([*[Flaw.NONE] * 8, *Flaw]),
)
_common = (
    _makes,
    _makes,
    st.builds(Again, st.integers(0, 11)),
    st.builds(Step, st.integers(1, 4)),
    st.builds(Step, st.integers(1, 4)),
    st.builds(Crash),
    st.builds(Pass, st.integers(0, 20_000)),
)
calm = st.one_of(*_common)
wild = st.one_of(
    *_common,
    st.builds(Lock, _devices, st.booleans()),
    st.builds(Jump, st.integers(-120_000, 120_000), st.booleans()),
)
scripts = st.one_of(st.lists(calm, min_size=8, max_size=40), st.lists(wild, max_size=40))


@dataclass
class Story:
    """What was sent."""

    folder: Path
    world: World
    stream: int = 0
    highest: int = 0
    sent: list[tuple[Command, Flaw, bytes]] = field(default_factory=list)

    def make(self, happening: Make) -> bytes:
        issued_ms = self.world.time_ms
        seq = max(1, self.highest + happening.ahead)
        self.highest = max(self.highest, seq)
        command = order(
            seq,
            f"miner-{happening.device}",
            id=f"{len(self.sent)}-{happening.flaw.name}",
            node="site-b-01" if happening.flaw is Flaw.OTHER_NODE else NODE,
            stream=self.stream + (happening.flaw is Flaw.OTHER_STREAM),
            issued_at_ms=issued_ms,
            not_before_ms=issued_ms + (10**6 if happening.flaw is Flaw.EARLY else 0),
            expires_at_ms=issued_ms + (0 if happening.flaw is Flaw.EXPIRED else 60_000),
        )
        unsigned = happening.flaw is Flaw.UNSIGNED
        message = sign(command, OTHER_KEY, KEY_ID) if unsigned else signed(command)
        self.sent.append((command, happening.flaw, message))
        return message


async def live(story: Story, happening: Happening, node: Node) -> Node:
    """One thing happens; the node that lives afterwards."""
    world = story.world
    match happening:
        case Make():
            await node.commands.receive(story.make(happening))
        case Again(which) if story.sent:
            await node.commands.receive(story.sent[which % len(story.sent)][2])
        case Pass(ms):
            world.time_ms += ms
        case Step(count):
            for _ in range(count):
                if world.steps is not None:
                    world.steps.release()
                await node.settled()
        case Lock(device, locked):
            change = world.locked.add if locked else world.locked.discard
            change(f"miner-{device}")
        case Jump(ms, trusted):
            world.time_ms += ms
            world.clock_trusted = trusted
        case Crash():
            await node.cut_off()
            world.steps = asyncio.Semaphore(0)
            node = await begin(story.folder, world)
            await node.commands.resume(at_once)
    return node


async def tell(folder: Path, script: list[Happening]) -> tuple[Story, list[Reply]]:
    """Plays a script, then lets everything that is open come to its end."""
    world = World(steps=asyncio.Semaphore(0))
    story = Story(folder, world)
    async with asyncio.timeout(300):
        node = await begin(folder, world)
        story.stream = node.stream
        for happening in script:
            node = await live(story, happening, node)
        await node.cut_off()
        world.steps = None
        node = await begin(folder, world)
        await node.commands.resume(at_once)
        await node.commands.idle()
        replies = await node.replies()
        await node.cut_off()
    return story, replies


@settings(max_examples=120)
@given(scripts)
def test_no_command_acts_twice_and_none_that_must_not(script: list[Happening]) -> None:
    hold(script)


@pytest.mark.soak
@settings(max_examples=4_000)
@given(scripts)
def test_no_command_acts_twice_in_many_lives(script: list[Happening]) -> None:
    hold(script)


def hold(script: list[Happening]) -> None:
    """Plays a script and holds what came of it against the rules."""
    with tempfile.TemporaryDirectory() as folder:
        story, replies = asyncio.run(tell(Path(folder), script))
    touched = story.world.touched
    assert len(set(touched)) == len(touched), "a command acted twice"
    answers: dict[str, list[Reply]] = {command.id: [] for command, _, _ in story.sent}
    for reply in replies:
        answers[reply.command_id].append(reply)
    accepted = [r for r in replies if r.state is ReplyState.ACCEPTED]
    first_accepted = list(dict.fromkeys(r.seq for r in accepted))
    assert first_accepted == sorted(first_accepted), "a number at or below the last was accepted"
    assert len({r.command_id for r in accepted}) == len(first_accepted), "a number served twice"
    for command, flaw, _ in story.sent:
        check(command, flaw, answers[command.id], touched)
    by_id = {command.id: command for command, _, _ in story.sent}
    for command_id, moment in story.world.begun:
        command = by_id[command_id]
        assert moment.clock_trusted, "a command acted on a clock that jumped"
        assert command.not_before_ms <= moment.time_ms < command.expires_at_ms


def check(command: Command, flaw: Flaw, given_: list[Reply], touched: list[str]) -> None:
    states = [reply.state for reply in given_]
    if flaw is Flaw.UNSIGNED:
        assert states == []
    if flaw in {Flaw.UNSIGNED, Flaw.OTHER_NODE, Flaw.OTHER_STREAM, Flaw.EXPIRED}:
        assert command.id not in touched, f"a command that is {flaw.name} acted"
        assert ReplyState.ACCEPTED not in states
    endings = {reply.state for reply in given_ if reply.state in TERMINAL}
    if flaw not in {Flaw.OTHER_NODE, Flaw.OTHER_STREAM}:
        assert len(endings) <= 1, "two different endings"
    if ReplyState.ACCEPTED in states:
        assert states[0] is ReplyState.ACCEPTED
        assert len(endings) == 1, "an accepted command has no ending"
    if command.id in touched:
        assert ReplyState.ACCEPTED in states
        assert endings <= {ReplyState.DONE, ReplyState.UNVERIFIED}
    if endings == {ReplyState.DONE}:
        assert command.id in touched
