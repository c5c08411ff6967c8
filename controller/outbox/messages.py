"""Puts messages into the outbox, in the caller's transaction."""

from sqlalchemy import Connection, insert, update

from controller.clock import Clock
from controller.storage.tables import outbox
from shared.messages.ack import Ack

ACK = "ack"
COMMAND = "command"


def enqueue_ack(conn: Connection, clock: Clock, node: str, ack: Ack) -> None:
    """An ack; what waits for one node is merged into as few messages as fit."""
    conn.execute(
        insert(outbox).values(node=node, kind=ACK, payload=ack.encode(), created_ms=clock.now_ms())
    )


def enqueue_command(
    conn: Connection, clock: Clock, node: str, command_id: str, seq: int, message: bytes
) -> None:
    """A signed command; it stays until it is answered or its time is up."""
    conn.execute(
        insert(outbox).values(
            node=node,
            kind=COMMAND,
            command_id=command_id,
            seq=seq,
            payload=message,
            created_ms=clock.now_ms(),
        )
    )


def send_again(conn: Connection, node: str) -> None:
    """Lets every open command of a node be sent again, in order.

    The node may have been away when the broker had them: a clean session keeps nothing. The node
    knows a command that it has seen by its id and does not act twice.
    """
    conn.execute(
        update(outbox)
        .where(
            outbox.c.node == node,
            outbox.c.kind == COMMAND,
            outbox.c.published_real_ms.is_not(None),
        )
        .values(published_real_ms=None)
    )
