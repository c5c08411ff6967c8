"""What a node is sent now, of what waits for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.ingest.batches import acks
from controller.outbox.messages import ACK, COMMAND
from shared.messages.ack import Ack
from shared.messages.topics import Channel
from shared.ranges import RangeSet


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of the outbox; the times are those of the command, 0 for an ack."""

    id: int
    kind: str
    payload: bytes
    seq: int = 0
    command_id: str = ""
    not_before_ms: int = 0
    expires_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, and the rows that it stands for."""

    channel: Channel
    payload: bytes
    rows: tuple[int, ...]
    command_id: str = ""


def plan(waiting: Sequence[Waiting], now_ms: int) -> list[Outgoing]:
    """Acks merged first, then commands in the order of their numbers.

    A command whose time is up is not sent; one whose time has not come holds back those behind
    it, for a node takes numbers only in rising order.
    """
    return [*_acks([row for row in waiting if row.kind == ACK]), *_commands(waiting, now_ms)]


def _acks(rows: Sequence[Waiting]) -> list[Outgoing]:
    decoded = [Ack.decode(row.payload) for row in rows]
    ranges = [(r.stream, RangeSet(((r.first, r.last),))) for ack in decoded for r in ack.ranges]
    merged = acks(ranges, [birth for ack in decoded for birth in ack.births_wanted])
    ids = tuple(row.id for row in rows)
    last = len(merged) - 1
    return [
        Outgoing(Channel.ACK, ack.encode(), ids if index == last else ())
        for index, ack in enumerate(merged)
    ]


def _commands(waiting: Sequence[Waiting], now_ms: int) -> list[Outgoing]:
    going: list[Outgoing] = []
    commands = [row for row in waiting if row.kind == COMMAND and row.expires_at_ms > now_ms]
    for row in sorted(commands, key=lambda row: row.seq):
        if row.not_before_ms > now_ms:
            break
        going.append(Outgoing(Channel.COMMAND, row.payload, (row.id,), row.command_id))
    return going
