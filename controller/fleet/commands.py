"""Commands: issued, marked as published, answered. Every step is one transaction's part."""

import hashlib
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from controller.audit import queue_leaf
from controller.changes import ChangeKind, record_change
from controller.clock import Clock
from controller.errors import ConflictError, MissingError
from controller.fleet.command_life import TERMINAL, CommandEvent, CommandState, after
from controller.outbox.messages import enqueue_command
from controller.storage.tables import commands, nodes, outbox
from shared.errors import BadInputError
from shared.host.tracing import SpanKind, command_place, tell
from shared.logs import current_trace
from shared.messages.actions import Action, Condition
from shared.messages.command import MAX_LIFETIME_MS, Command, sign
from shared.messages.reply import Reply

CONTROLLER = "controller"
"""The actor of what the controller does on its own."""

MAX_AHEAD_MS = 60_000
"""A node takes commands in the order of their numbers: one that waits for its time holds back those
behind it, so it may not wait long."""


@dataclass(frozen=True, slots=True)
class CommandSigner:
    """The key that signs commands, with the id that nodes know it by."""

    key: Ed25519PrivateKey
    key_id: bytes

    @classmethod
    def load(cls, path: Path) -> "CommandSigner":
        """Reads an unencrypted Ed25519 PEM; the key id is `key_id_of` its public key."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise BadInputError("commands.signing_key_file", str(path), "a PEM key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInputError("commands.signing_key_file", str(path), "an Ed25519 key")
        return cls(key, key_id_of(key))


def key_id_of(key: Ed25519PrivateKey) -> bytes:
    """The first 8 bytes of SHA-256 over the raw public key; agents trust keys by its hex."""
    return hashlib.sha256(key.public_key().public_bytes_raw()).digest()[:8]


@dataclass(frozen=True, slots=True)
class Order:
    """What someone wants a node to do.

    `not_before_ms` None is now; `lifetime_ms` counts from the later of now and not_before.
    """

    node: str
    actor: str
    action: Action
    lifetime_ms: int
    precondition: tuple[Condition, ...] = ()
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CommandDesk:
    """Where commands are issued: the clock and the key that `issue` needs."""

    clock: Clock
    signer: CommandSigner

    def issue(self, conn: Connection, order: Order) -> str:
        """See `issue`."""
        return issue(conn, self.clock, self.signer, order)


def issue(conn: Connection, clock: Clock, signer: CommandSigner, order: Order) -> str:
    """Allots the node's next number, signs, and queues the command; returns its id.

    The command, its outbox row and its audit leaf are in the caller's transaction. Wake the
    publisher (`Services.wake`) after the commit. Raises `MissingError` for an unknown node,
    `ConflictError` while the node has not been born, `BadInputError` for times out of bounds.
    """
    now_ms = clock.now_ms()
    node = conn.execute(
        select(nodes.c.event_stream, nodes.c.next_command_seq)
        .where(nodes.c.name == order.node)
        .with_for_update(key_share=True)
    ).one_or_none()
    if node is None:
        raise MissingError("node", order.node)
    if node.event_stream is None:
        raise ConflictError(f"node {order.node} has not been born: there is no stream to name")
    not_before_ms = now_ms if order.not_before_ms is None else order.not_before_ms
    expires_at_ms = max(now_ms, not_before_ms) + order.lifetime_ms
    if not_before_ms > now_ms + MAX_AHEAD_MS:
        raise BadInputError(
            "not_before", f"{not_before_ms - now_ms} ms ahead", f"at most {MAX_AHEAD_MS} ms ahead"
        )
    if order.lifetime_ms < 1 or expires_at_ms > now_ms + MAX_LIFETIME_MS:
        raise BadInputError(
            "lifetime_ms", f"{order.lifetime_ms}", f"an end at most {MAX_LIFETIME_MS} ms from now"
        )
    command = Command(
        id=str(uuid.uuid4()),
        node=order.node,
        stream=node.event_stream,
        seq=node.next_command_seq,
        actor=order.actor,
        issued_at_ms=now_ms,
        not_before_ms=not_before_ms,
        expires_at_ms=expires_at_ms,
        action=order.action,
        precondition=order.precondition,
    )
    _store(conn, clock, command, sign(command, signer.key, signer.key_id))
    asked_in = current_trace() or ""
    place = command_place(command.id)
    tell("give command", SpanKind.PRODUCER, place, node=command.node, asked_in=asked_in)
    return command.id


def _store(conn: Connection, clock: Clock, command: Command, message: bytes) -> None:
    params = command.action.to_params()
    conn.execute(
        update(nodes).where(nodes.c.name == command.node).values(next_command_seq=command.seq + 1)
    )
    conn.execute(
        insert(commands).values(
            id=command.id,
            node=command.node,
            stream=command.stream,
            seq=command.seq,
            actor=command.actor,
            action=command.action.name,
            device=params.get("device"),
            params=params,
            precondition=[condition.to_row() for condition in command.precondition],
            issued_at_ms=command.issued_at_ms,
            not_before_ms=command.not_before_ms,
            expires_at_ms=command.expires_at_ms,
            state=CommandState.QUEUED.value,
            message=message,
        )
    )
    enqueue_command(conn, clock, command.node, command.id, command.seq, message)
    queue_leaf(
        conn,
        kind="command.issued",
        actor=command.actor,
        subject=command.id,
        data={"message": message, "node": command.node, "seq": command.seq},
        now_ms=command.issued_at_ms,
    )
    record_change(conn, clock, ChangeKind.COMMAND, command.node, command.id)


def step(
    conn: Connection,
    clock: Clock,
    command_id: str,
    event: CommandEvent,
    facts: Mapping[str, Any] | None = None,
) -> CommandState | None:
    """Applies an event; None when no such command exists.

    A terminal state never changes: the row is written by compare-and-set on its version.
    """
    row = conn.execute(
        select(commands).where(commands.c.id == command_id).with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        return None
    before = CommandState(row.state)
    state = after(before, event)
    values = _times(row, event, clock.now_ms())
    if state is before and not values:
        return state
    if state is not before:
        values |= {"state": state.value, **(facts or {})}
        if state in TERMINAL:
            values["finished_ms"] = clock.now_ms()
    conn.execute(
        update(commands)
        .where(and_(commands.c.id == command_id, commands.c.version == row.version))
        .values(version=row.version + 1, **values)
    )
    if state is not before:
        _tell(conn, clock, row, state, event)
    return state


def _times(row: Row[Any], event: CommandEvent, now_ms: int) -> dict[str, Any]:
    """When a step was first seen; an `accepted` that comes behind its `done` still counts."""
    if event is CommandEvent.PUBLISHING and row.sent_ms is None:
        return {"sent_ms": now_ms}
    if event is CommandEvent.ACCEPTED and row.accepted_ms is None:
        return {"accepted_ms": now_ms}
    return {}


def _tell(
    conn: Connection, clock: Clock, row: Row[Any], state: CommandState, event: CommandEvent
) -> None:
    if state not in {CommandState.QUEUED, CommandState.SENT}:
        conn.execute(delete(outbox).where(outbox.c.command_id == row.id))
    actor = row.node if event in set(map(str, CommandState)) else CONTROLLER
    queue_leaf(
        conn,
        kind="command.step",
        actor=actor,
        subject=row.id,
        data={"event": event.value, "from": row.state, "to": state.value},
        now_ms=clock.now_ms(),
    )
    record_change(conn, clock, ChangeKind.COMMAND, row.node, row.id)


def answer(conn: Connection, clock: Clock, node: str, stream: int, reply: Reply) -> bool:
    """Takes a reply of a node; False when the command is not this node's and stream's."""
    known = conn.execute(
        select(commands.c.id).where(
            commands.c.id == reply.command_id,
            commands.c.node == node,
            commands.c.stream == stream,
            commands.c.seq == reply.seq,
        )
    ).one_or_none()
    if known is None:
        return False
    facts = {"problem": reply.problem, "text": reply.text, "readback": _as_json(reply.readback)}
    step(conn, clock, reply.command_id, CommandEvent(reply.state.value), facts)
    return True


def _as_json(value: Any) -> Any:
    """What JSON cannot say: bytes as hex; a number that is none, and NUL in text, left out."""
    match value:
        case dict():
            return {str(_as_json(key)): _as_json(item) for key, item in value.items()}
        case list():
            return [_as_json(item) for item in value]
        case bytes():
            return value.hex()
        case str():
            return value.replace("\x00", "")
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float():
            return value
    return str(value)


def overdue(conn: Connection, now_ms: int, most: int = 500) -> list[str]:
    """Ids of commands that nobody answered and whose time is up."""
    waiting = [CommandState.QUEUED.value, CommandState.SENT.value]
    return list(
        conn.scalars(
            select(commands.c.id)
            .where(commands.c.state.in_(waiting), commands.c.expires_at_ms < now_ms)
            .order_by(commands.c.expires_at_ms)
            .limit(most)
        )
    )
