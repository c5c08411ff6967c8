"""What nodes send becomes security events, in the transaction that takes it."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from controller.config import IngestConfig
from controller.detection.acknowledging import acknowledge
from controller.detection.kinds import SecurityKind
from controller.errors import ConflictError
from controller.fleet.command_life import CommandEvent
from controller.fleet.commands import CommandDesk, CommandSigner, Order, key_id_of, step
from controller.ingest.inbox import Received
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import security_events
from shared.messages.actions import Reboot
from shared.messages.event import Event, EventKind, Severity
from shared.messages.reply import Reply, ReplyState
from shared.messages.state import State
from shared.messages.topics import Channel
from tests.nodes import (
    NOON_MS,
    FakeNode,
    StillClock,
    event_row,
    power_row,
    reply_event,
)


def kinds(storage: Storage) -> list[str]:
    with storage.read() as conn:
        query = select(security_events.c.kind).order_by(security_events.c.id)
        return list(conn.scalars(query))


def test_an_honest_day_gives_nothing_away(ingest: Ingest, storage: Storage, node: FakeNode) -> None:
    batch = node.batch([power_row(seq, 3_000.0) for seq in range(1, 5)])
    events = node.events([event_row(1, Event(EventKind.AGENT, Severity.INFO, {"what": "started"}))])
    ingest.take([node.state(online=True), node.born(), batch, events])
    ingest.take([node.state(online=True), node.born(), batch, events])
    restarted = replace(node, boot_id="boot-2")
    ingest.take([restarted.received(Channel.STATE, _on("boot-2", NOON_MS + 1)), restarted.born(2)])
    ingest.take([node.state(online=False)])
    assert kinds(storage) == []


def _on(boot_id: str, at_ms: int) -> bytes:
    return State(True, boot_id, at_ms, clock_synchronised=True, clock_error_ms=3).encode()


def test_other_rows_under_numbers_that_are_committed_are_a_rollback(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    ingest.take([node.born(), node.batch([power_row(1, 3_000.0)])])
    ingest.take([node.batch([power_row(1, 9.0, NOON_MS + 99_000), power_row(2, 9.0)])])
    assert kinds(storage) == ["sequence_rollback"]


def test_a_birth_that_counts_from_below_is_a_rollback(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    ingest.take([node.state(online=True), node.born(5)])
    other = replace(node, boot_id="boot-9")
    ingest.take([other.received(Channel.STATE, _on("boot-9", NOON_MS + 5)), other.born(3)])
    assert kinds(storage) == ["sequence_rollback"]


def test_two_boots_that_are_online_in_turns_are_two_agents(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    for at_ms, boot in ((1, "a"), (2, "b"), (3, "a")):
        ingest.take([node.received(Channel.STATE, _on(boot, NOON_MS + at_ms))])
    assert kinds(storage) == ["agent_at_two_places"]


def test_drift_is_told_until_somebody_accepts_it(
    ingest: Ingest, storage: Storage, clock: StillClock, node: FakeNode
) -> None:
    def born(number: int, sha256: str) -> Received:
        birth = replace(node.birth(number), hashes={"policy": sha256})
        return node.received(Channel.BIRTH, birth.encode())

    ingest.take([born(1, "aa")])
    ingest.take([born(2, "bb")])
    assert kinds(storage) == ["configuration_drift"]
    with storage.write() as conn:
        event_id = conn.scalar(select(security_events.c.id)) or 0
        acknowledge(conn, clock, event_id, "user:1", "the new tariff", None)
    with storage.write() as conn, pytest.raises(ConflictError):
        acknowledge(conn, clock, event_id, "user:1", "again", None)
    ingest.take([born(3, "bb")])
    assert kinds(storage) == ["configuration_drift"]
    ingest.take([born(4, "aa")])
    assert kinds(storage) == ["configuration_drift", "configuration_drift"]


def test_software_that_is_not_on_the_list_is_told(
    storage: Storage, clock: StillClock, node: FakeNode
) -> None:
    strict = Ingest(storage, clock, IngestConfig(), ControllerMetrics(), ("0.2.0",))
    strict.take([node.born()])
    assert kinds(storage) == ["software_unexpected"]
    lenient = Ingest(storage, clock, IngestConfig(), ControllerMetrics(), ("0.1.0",))
    lenient.take([node.born(2)])
    assert kinds(storage) == ["software_unexpected"]


def test_rows_under_another_nodes_stream_and_births_in_its_name_are_told(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    thief = replace(node, name="site-a-02")
    ingest.take([node.born(), node.batch([power_row(1, 3_000.0)])])
    ingest.take([thief.batch([power_row(2, 1.0)])])
    ingest.take([thief.received(Channel.BIRTH, node.birth(2).encode())])
    assert set(kinds(storage)) == {"stream_stolen"}
    assert len(kinds(storage)) == 2


def test_what_breaks_the_contract_is_told_and_counted(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    for _ in range(5):
        ingest.take([node.received(Channel.EVENT, b"\xff")])
    ingest.take([replace(node, name="site-z-77").born()])
    with storage.read() as conn:
        rows = conn.execute(select(security_events).order_by(security_events.c.id)).all()
    kind = SecurityKind.MESSAGE_REFUSED.value
    assert [(row.kind, row.occurrences) for row in rows] == [(kind, 5), (kind, 1)]


def test_an_answer_to_an_order_that_nobody_gave_is_told(
    ingest: Ingest, storage: Storage, node: FakeNode
) -> None:
    ingest.take([node.born()])
    reply = Reply("never-given", 1, ReplyState.DONE)
    ingest.take([node.events([event_row(1, reply_event(reply))])])
    assert kinds(storage) == ["command_unknown"]


def test_a_final_answer_given_again_an_hour_later_is_a_replay(
    ingest: Ingest, storage: Storage, clock: StillClock, node: FakeNode
) -> None:
    key = Ed25519PrivateKey.generate()
    ingest.take([node.born()])
    with storage.write() as conn:
        order = Order(node.name, "operator", Reboot("miner-01"), 60_000)
        command_id = CommandDesk(clock, CommandSigner(key, key_id_of(key))).issue(conn, order)
        step(conn, clock, command_id, CommandEvent.PUBLISHING)
    done = reply_event(Reply(command_id, 1, ReplyState.DONE))
    ingest.take([node.events([event_row(1, done), event_row(2, done)])])
    assert kinds(storage) == []
    ingest.take([node.events([event_row(3, done, NOON_MS + 3_600_000)])])
    assert kinds(storage) == ["command_replayed"]
