"""Sends what the outbox holds: claim a node's lane, send in order, wait for the broker, mark.

A row is marked only when the broker has confirmed the message; whatever ends in between leaves it
to be sent again. A command is written down as sent before it is sent, so that one the controller
believes unsent has certainly not reached its node.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from controller.broker import Broker, Fate, Publication
from controller.clock import Clock
from controller.fleet.command_life import CommandEvent
from controller.fleet.commands import step
from controller.metrics import ControllerMetrics
from controller.outbox.messages import COMMAND, send_again
from controller.outbox.plan import Outgoing, Waiting, plan
from controller.storage.engine import Storage
from controller.storage.tables import commands, lanes, outbox
from shared.host.tracing import SpanKind, beside, command_place, tell
from shared.messages.topics import Channel, topic

_NODES_A_ROUND = 200
_ROWS_A_NODE = 500
_CONFIRM_DEADLINE_S = 10.0
_RESEND_CHECK_S = 1.0


@dataclass(frozen=True, slots=True)
class _Sent:
    began_ns: int
    outgoing: Outgoing
    publication: Publication


class Dispatcher:
    """One a process; replicas share the nodes by their lanes."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        broker: Broker,
        metrics: ControllerMetrics,
        resend_after_s: float,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._broker = broker
        self._metrics = metrics
        self._resend_after_ms = int(resend_after_s * 1000)
        self._next_resend_check = 0.0

    def round(self) -> bool:
        """Sends what waits; True when there may be more at once."""
        if not self._broker.connected:
            return False
        self._resend_unanswered()
        nodes = self._nodes()
        if not nodes:
            return False
        with self._claimed(nodes) as (conn, mine):
            sent = [one for node in mine for one in self._send(node)]
            self._settle(conn, sent)
        return bool(sent) and self._broker.connected

    def _nodes(self) -> list[str]:
        """Nodes that something can be sent to now."""
        pending = outbox.c.published_real_ms.is_(None)
        with self._storage.read() as conn:
            waiting = conn.scalar(select(func.count()).select_from(outbox).where(pending)) or 0
            names = select(outbox.c.node).where(pending).distinct().limit(_NODES_A_ROUND)
            found = list(conn.scalars(names)) if waiting else []
        self._metrics.outbox_waiting.set(waiting)
        return found

    @contextmanager
    def _claimed(self, nodes: Sequence[str]) -> Iterator[tuple[Connection | None, list[str]]]:
        """The nodes that no other replica sends to, until the end of the block."""
        if not self._storage.is_postgresql:
            yield None, list(nodes)
            return
        with self._storage.write() as conn:
            mine = conn.scalars(
                select(lanes.c.node)
                .where(lanes.c.purpose == "publish", lanes.c.node.in_(nodes))
                .order_by(lanes.c.node)
                .with_for_update(skip_locked=True)
            )
            yield conn, list(mine)

    def _send(self, node: str) -> list[_Sent]:
        with self._storage.read() as conn:
            rows = _waiting(conn, node)
        going = plan(rows, self._clock.now_ms())
        self._write_down([one.command_id for one in going if one.command_id])
        return [
            _Sent(time.time_ns(), one, self._broker.publish(topic(node, one.channel), one.payload))
            for one in going
        ]

    def _write_down(self, command_ids: Sequence[str]) -> None:
        if command_ids:
            with self._storage.write() as conn:
                for command_id in command_ids:
                    step(conn, self._clock, command_id, CommandEvent.PUBLISHING)

    def _settle(self, claim: Connection | None, sent: Sequence[_Sent]) -> None:
        deadline = time.monotonic() + _CONFIRM_DEADLINE_S
        gone: list[int] = []
        published: list[int] = []
        for one in sent:
            if one.publication.wait(deadline - time.monotonic()) is Fate.LOST:
                continue
            self._metrics.published.labels(one.outgoing.channel.value).inc()
            is_command = one.outgoing.channel is Channel.COMMAND
            if is_command:
                _tell_published(one)
            (published if is_command else gone).extend(one.outgoing.rows)
        if claim is not None:
            self._mark(claim, gone, published)
        elif gone or published:
            with self._storage.write() as conn:
                self._mark(conn, gone, published)

    def _mark(self, conn: Connection, gone: Sequence[int], published: Sequence[int]) -> None:
        for start in range(0, len(gone), 500):
            conn.execute(delete(outbox).where(outbox.c.id.in_(gone[start : start + 500])))
        if published:
            conn.execute(
                update(outbox)
                .where(outbox.c.id.in_(published))
                .values(published_real_ms=self._clock.real_ms(), attempts=outbox.c.attempts + 1)
            )

    def _resend_unanswered(self) -> None:
        """The broker had them and the node said nothing: it may have been away, or be new there."""
        if time.monotonic() < self._next_resend_check:
            return
        self._next_resend_check = time.monotonic() + _RESEND_CHECK_S
        before = self._clock.real_ms() - self._resend_after_ms
        query = select(outbox.c.node).where(
            outbox.c.kind == COMMAND, outbox.c.published_real_ms < before
        )
        with self._storage.read() as conn:
            nodes = list(conn.scalars(query.distinct()))
        if nodes:
            with self._storage.write() as conn:
                for node in nodes:
                    send_again(conn, node)


def _tell_published(sent: _Sent) -> None:
    given = command_place(sent.outgoing.command_id)
    place = beside(given)
    tell("publish command", SpanKind.PRODUCER, place, within=given, began_ns=sent.began_ns)


def _waiting(conn: Connection, node: str) -> list[Waiting]:
    query = (
        select(outbox, commands.c.not_before_ms, commands.c.expires_at_ms)
        .join(commands, commands.c.id == outbox.c.command_id, isouter=True)
        .where(outbox.c.node == node, outbox.c.published_real_ms.is_(None))
        .order_by(outbox.c.id)
        .limit(_ROWS_A_NODE)
    )
    return [
        Waiting(
            id=row.id,
            kind=row.kind,
            payload=row.payload,
            seq=row.seq or 0,
            command_id=row.command_id or "",
            not_before_ms=row.not_before_ms or 0,
            expires_at_ms=row.expires_at_ms or 0,
        )
        for row in conn.execute(query)
    ]
