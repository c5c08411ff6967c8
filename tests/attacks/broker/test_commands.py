"""Orders that were not given here: the agent refuses them, its own words come to the controller,
and there they become security events. Nothing on a device is touched."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from controller.config import IngestConfig
from controller.detection.kinds import SecurityKind
from controller.ingest.inbox import Received
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, commands, security_events
from shared.messages.command import Command, sign
from shared.messages.event import EventBatch, EventRow
from shared.messages.topics import Channel, topic
from tests.faults.attacker import Forger, Target
from tests.integration.agent.commands.node import Node, World, running
from tests.nodes import StillClock, enter_nodes
from tests.unit.agent.commands.orders import KEY, KEY_ID, NODE, NOW_MS, order, signed

HOUR_MS = 3_600_000
FORGED = {SecurityKind.COMMAND_FORGED.value}
REPLAYED = {SecurityKind.COMMAND_REPLAYED.value}


@pytest.fixture
def controller(sqlite_template: Path, tmp_path: Path) -> Storage:
    """A controller's database that knows the node and has given no order."""
    path = tmp_path / "controller.db"
    path.write_bytes(sqlite_template.read_bytes())
    storage = Storage(f"sqlite:///{path}")
    enter_nodes(storage, StillClock(NOW_MS, NOW_MS), NODE)
    return storage


def _rows(conn: sqlite3.Connection) -> list[EventRow]:
    found = conn.execute("SELECT seq, time_ms, body FROM event ORDER BY seq")
    return [EventRow(*row) for row in found]


async def recorded(node: Node, storage: Storage) -> set[str]:
    """What the controller makes of the agent's events; each kind has its leaf."""
    rows = await node.database.read(_rows)
    clock = StillClock(NOW_MS, NOW_MS)
    ingest = Ingest(storage, clock, IngestConfig(), ControllerMetrics())
    batch = EventBatch(node.stream, tuple(rows))
    ingest.take([Received(topic(NODE, Channel.EVENT), batch.encode())])
    with storage.read() as conn:
        kinds = set(conn.scalars(select(security_events.c.kind)))
        leaves = conn.scalar(select(func.count()).where(audit_leaves.c.kind == "security.event"))
        assert leaves == conn.scalar(select(func.count()).select_from(security_events))
        assert conn.scalar(select(func.count()).select_from(commands)) == 0
    return kinds


async def deliver(node: Node, *messages: bytes) -> None:
    """Through the command channel, and told of."""
    for message in messages:
        await node.commands.receive(message)
    await node.commands.idle()
    await node.commands.keep_house()
    await node.settled()


def _for(node: Node, command: Command) -> Command:
    return replace(command, stream=node.stream)


async def test_a_command_signed_by_another_key_is_refused_and_recorded(
    tmp_path: Path, controller: Storage
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        foreign = Ed25519PrivateKey.generate()
        await deliver(node, sign(_for(node, order(1)), foreign, KEY_ID))
        assert await recorded(node, controller) == FORGED
    assert world.touched == []


async def test_an_unsigned_command_is_refused_and_recorded(
    tmp_path: Path, controller: Storage
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        await deliver(node, _for(node, order(1)).encode(), b"", b"\xff" * 100)
        assert await recorded(node, controller) == FORGED
    assert world.touched == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"node": "site-z-09"}, FORGED),
        ({"issued_at_ms": NOW_MS + HOUR_MS, "not_before_ms": NOW_MS + HOUR_MS}, FORGED),
        ({"stream": 7}, REPLAYED),
        (
            {
                "issued_at_ms": NOW_MS - 3 * HOUR_MS,
                "not_before_ms": NOW_MS - 3 * HOUR_MS,
                "expires_at_ms": NOW_MS - HOUR_MS,
            },
            REPLAYED,
        ),
    ],
    ids=["for another node", "from the future", "for a lost database", "long expired"],
)
async def test_a_command_that_is_not_for_here_and_now_is_refused_and_recorded(
    tmp_path: Path,
    controller: Storage,
    changes: dict[str, int | str],
    expected: set[str],
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        command = _for(node, order(1))
        if "issued_at_ms" in changes and "expires_at_ms" not in changes:
            changes = {**changes, "expires_at_ms": NOW_MS + 2 * HOUR_MS}
        await deliver(node, signed(replace(command, **changes)))  # type: ignore[arg-type]  # of each field's own type
        assert await recorded(node, controller) == expected
    assert world.touched == []


async def test_reordered_commands_act_once_in_order_and_the_late_one_is_recorded(
    tmp_path: Path, controller: Storage
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        first, second = (signed(_for(node, order(seq))) for seq in (1, 2))
        await deliver(node, second, first)
        assert SecurityKind.COMMAND_REPLAYED.value in await recorded(node, controller)
    assert len(world.touched) == 1


async def test_a_replayed_command_moves_nothing_a_second_time(
    tmp_path: Path, controller: Storage
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        message = signed(_for(node, order(1)))
        await deliver(node, message)
        await deliver(node, message, message)
        assert SecurityKind.COMMAND_UNKNOWN.value in await recorded(node, controller)
    assert len(world.touched) == 1


async def test_every_forgery_of_the_faults_attacker_is_refused_and_recorded(
    tmp_path: Path, controller: Storage
) -> None:
    world = World()
    async with running(tmp_path, world) as node:
        target = Target(NODE, node.stream, "miner-1", NOW_MS, 0)
        forged = [message for _what, message in Forger(7, KEY, KEY_ID).messages(target)]
        await deliver(node, *forged)
        assert await recorded(node, controller) == FORGED | REPLAYED
    assert world.touched == []
