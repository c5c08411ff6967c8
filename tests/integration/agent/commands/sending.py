"""Sends commands to a node under test and reads its answers."""

from typing import Any

from shared.messages.command import Command
from tests.integration.agent.commands.node import Node
from tests.unit.agent.commands.orders import order, signed


def states(replies: list[Any], command_id: str) -> list[str]:
    return [reply.state.value for reply in replies if reply.command_id == command_id]


async def send(node: Node, seq: int, device: str = "miner-1", **changes: Any) -> Command:
    changes.setdefault("stream", node.stream)
    command = order(seq, device, **changes)
    await node.commands.receive(signed(command))
    return command
