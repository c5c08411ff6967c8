"""A revoked node's live connection is ended.

The broker looks at revocation lists when a connection begins; one that is up stays up. So the
node is disabled in mosquitto's dynamic-security plug-in, over this controller's own connection,
which ends the node's session. Coming back is refused by the revocation list. That list reaches the
broker a little later (a file, a reload), so the cut is made again a few times: a node that came
back in between is cut off again. The plug-in decides nothing else: the ACL file goes before it.
"""

import json
import threading
import uuid
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, insert, select, update

from controller.audit import queue_leaf
from controller.broker import Broker, Fate
from controller.clock import Clock
from controller.storage.engine import Storage
from controller.storage.tables import cut_offs
from shared.messages.topics import check_node_name

CONTROL = "$CONTROL/dynamic-security/v1"
AGAIN_AFTER_MS = (0, 5_000, 20_000, 60_000, 300_000)
"""When the cut is made, counted from the revocation."""
_RETRY_MS = 5_000
_ANSWER_S = 10.0
_log = structlog.get_logger()


class CutOffError(Exception):
    """The broker did not say that the node was cut off."""


class BrokerAdmin(Protocol):
    """What the controller asks of a broker besides passing messages on."""

    def cut_off(self, node: str) -> None:
        """Ends the node's live connection, if it has one; `CutOffError` when that is unsure."""
        ...


def request_cut_off(conn: Connection, node: str, now_real_ms: int) -> None:
    """Has the node cut off by whichever process holds a connection to the broker; to be called in
    the transaction that revokes its certificate."""
    conn.execute(
        insert(cut_offs).values(
            node=check_node_name(node),
            requested_real_ms=now_real_ms,
            done=0,
            due_real_ms=now_real_ms,
        )
    )


def call_off_cuts(conn: Connection, node: str) -> None:
    """No further cuts of a node: who connects under its name from now on is another host."""
    conn.execute(
        update(cut_offs)
        .where(cut_offs.c.node == node, cut_offs.c.due_real_ms.is_not(None))
        .values(due_real_ms=None)
    )


def next_due(requested_real_ms: int, done: int) -> int | None:
    """When the next cut is due after `done` of them; None when there is none. Pure."""
    if done >= len(AGAIN_AFTER_MS):
        return None
    return requested_real_ms + AGAIN_AFTER_MS[done]


class CutOffs:
    """The worker's round."""

    def __init__(self, storage: Storage, clock: Clock, admin: BrokerAdmin) -> None:
        self._storage = storage
        self._clock = clock
        self._admin = admin

    def round(self) -> bool:
        """Makes the cuts that are due. Two processes may make the same one: it harms nobody."""
        with self._storage.read() as conn:
            query = select(cut_offs).where(cut_offs.c.due_real_ms <= self._clock.real_ms())
            due = conn.execute(query.order_by(cut_offs.c.id).limit(100)).all()
        for row in due:
            problem = self._try(row.node)
            with self._storage.write() as conn:
                self._note(conn, row, problem)
        return False

    def _try(self, node: str) -> str | None:
        try:
            self._admin.cut_off(node)
        except CutOffError as error:
            _log.error("a revoked node could not be cut off", node=node, error=str(error))
            return str(error)[:300]
        return None

    def _note(self, conn: Connection, row: Any, problem: str | None) -> None:
        if problem is not None:
            values = {"problem": problem, "due_real_ms": self._clock.real_ms() + _RETRY_MS}
        else:
            done = row.done + 1
            values = {
                "problem": None,
                "done": done,
                "due_real_ms": next_due(row.requested_real_ms, done),
            }
        open_still = (cut_offs.c.id == row.id) & cut_offs.c.due_real_ms.is_not(None)
        conn.execute(update(cut_offs).where(open_still).values(**values))
        if problem is None and row.done == 0:
            queue_leaf(
                conn,
                kind="node.cut_off",
                actor="controller",
                subject=row.node,
                data={"requested_real_ms": row.requested_real_ms},
                now_ms=self._clock.now_ms(),
            )


class DynamicSecurity:
    """`BrokerAdmin` on mosquitto's dynamic-security plug-in (mosquitto 2.0, its README)."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._turn = threading.Lock()
        self._answered = threading.Event()
        self._wanted = ""
        self._answer: dict[str, str] = {}
        broker.listen_to_control(self._take)

    def cut_off(self, node: str) -> None:
        """See `BrokerAdmin`."""
        with self._turn:
            self._wanted = uuid.uuid4().hex
            self._answered.clear()
            names = ("createClient", "enableClient", "disableClient")
            commands = [
                {"command": name, "username": node, "correlationData": self._wanted}
                for name in names
            ]
            payload = json.dumps({"commands": commands}).encode()
            if self._broker.publish(CONTROL, payload).wait(_ANSWER_S) is Fate.LOST:
                raise CutOffError("the broker did not take the order")
            if not self._answered.wait(_ANSWER_S):
                raise CutOffError("the broker's dynamic-security plug-in does not answer")
            problem = self._answer.get("disableClient")
            if problem:
                raise CutOffError(f"the broker answers: {problem}")

    def _take(self, payload: bytes) -> None:
        """An answer on the control topic: {"responses": [{"command", "error"?, ...}]}."""
        try:
            responses = json.loads(payload)["responses"]
            found = {
                str(one["command"]): str(one.get("error", ""))
                for one in responses
                if one.get("correlationData") == self._wanted
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("an answer of the broker is malformed", error=repr(error)[:200])
            return
        if "disableClient" in found:
            self._answer = found
            self._answered.set()
