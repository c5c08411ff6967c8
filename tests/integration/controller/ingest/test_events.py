"""Events from message to rows, alarms, gap reports and answers, on both databases."""

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from controller.changes import ChangeKind, changes_after
from controller.errors import ConflictError, MissingError
from controller.fleet.command_life import CommandEvent, CommandState
from controller.fleet.commands import CommandDesk, CommandSigner, Order, key_id_of, step
from controller.fleet.event_content import RowKind, why_malformed
from controller.fleet.streams import gaps_of
from controller.ingest.gaps import UNREAD
from controller.ingest.runner import Ingest
from controller.storage.engine import Storage
from controller.storage.tables import (
    alarms,
    audit_leaves,
    commands,
    devices,
    events,
    gaps,
    nodes,
    outbox,
)
from shared.errors import BadInputError
from shared.host.tracing import Span, collecting, command_place
from shared.logs import traced
from shared.messages import cbor
from shared.messages.ack import Ack
from shared.messages.actions import Reboot
from shared.messages.command import verify
from shared.messages.event import Event, EventKind, EventRow, Severity
from shared.messages.reply import Reply, ReplyState
from tests.nodes import (
    NOON_MS,
    FakeNode,
    StillClock,
    alarm,
    bucket,
    event_row,
    power_row,
    reply_event,
)


@pytest.fixture
def desk(clock: StillClock) -> CommandDesk:
    key = Ed25519PrivateKey.generate()
    return CommandDesk(clock, CommandSigner(key, key_id_of(key)))


def issue(storage: Storage, desk: CommandDesk, node: str, lifetime_ms: int = 60_000) -> str:
    with storage.write() as conn:
        return desk.issue(conn, Order(node, "operator", Reboot("miner-01"), lifetime_ms))


def published(storage: Storage, clock: StillClock, command_id: str) -> None:
    with storage.write() as conn:
        step(conn, clock, command_id, CommandEvent.PUBLISHING)


def state_of(storage: Storage, command_id: str) -> str:
    with storage.read() as conn:
        query = select(commands.c.state).where(commands.c.id == command_id)
        return str(conn.execute(query).scalar_one())


def acked_numbers(storage: Storage, stream: int) -> set[int]:
    with storage.read() as conn:
        payloads = conn.scalars(select(outbox.c.payload).where(outbox.c.kind == "ack"))
        ranges = [r for payload in payloads for r in Ack.decode(payload).ranges]
    return {n for r in ranges if r.stream == stream for n in range(r.first, r.last + 1)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_alarm_has_the_same_history_in_whatever_order_its_events_come(
    storage: Storage, ingest: Ingest, node: FakeNode, order: tuple[int, ...]
) -> None:
    rows = [
        event_row(1, alarm("too-hot", raised=True, device="miner-01")),
        event_row(2, alarm("too-hot", raised=False, device="miner-01")),
        event_row(3, alarm("too-hot", raised=True, device="miner-01")),
    ]
    for index in order:
        ingest.take([node.events([rows[index]])])
    with storage.read() as conn:
        query = select(alarms.c.raised_seq, alarms.c.lowered_seq).order_by(alarms.c.raised_seq)
        assert [tuple(row) for row in conn.execute(query)] == [(1, 2), (3, None)]


GOOD = Event(EventKind.AGENT, Severity.INFO, {"what": "started"})


def told_by(storage: Storage, node: FakeNode) -> list[tuple[int, str]]:
    """The number and kind of the events that the node itself sent."""
    query = select(events.c.seq, events.c.kind).where(events.c.stream == node.event_stream)
    with storage.read() as conn:
        return [(row.seq, row.kind) for row in conn.execute(query.order_by(events.c.seq))]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00garbage",
        Event(EventKind.REPLY, Severity.INFO, {"state": "nonsense"}).encode(),
        Event(EventKind.ALARM, Severity.INFO, {"code": "x"}).encode(),
        Event(EventKind.GAP, Severity.INFO, {"first": 1}).encode(),
        cbor.encode({"kind": "unheard-of", "severity": "info", "device": None, "data": {}}),
    ],
    ids=["empty", "garbage", "reply", "alarm", "gap", "unknown kind"],
)
def test_a_malformed_event_is_kept_as_it_came_and_acked_with_its_neighbours(
    storage: Storage, ingest: Ingest, node: FakeNode, body: bytes
) -> None:
    rows = [event_row(1, GOOD), EventRow(2, NOON_MS, body), event_row(3, GOOD)]
    ingest.take([node.events(rows)])
    assert acked_numbers(storage, node.event_stream) == {1, 2, 3}
    assert told_by(storage, node) == [(1, "agent"), (2, RowKind.MALFORMED), (3, "agent")]
    with storage.read() as conn:
        kept = conn.execute(select(events).where(events.c.kind == RowKind.MALFORMED)).one()
        (raised,) = conn.execute(select(alarms)).all()
    assert (kept.body, kept.time_ms, kept.code, kept.device) == (body, NOON_MS, None, None)
    assert (raised.code, raised.node) == ("event-malformed", node.name)
    assert why_malformed(kept.body)


def test_malformed_events_raise_one_alarm_and_count_once_however_often_they_come(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    rows = [EventRow(seq, NOON_MS, b"garbage") for seq in (1, 2, 3)]
    for _ in range(3):
        ingest.take([node.events(rows)])
    assert told_by(storage, node) == [(seq, RowKind.MALFORMED) for seq in (1, 2, 3)]
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(alarms)) == 1


def test_an_event_that_the_database_cannot_hold_is_acked_and_its_neighbours_count(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    """A NUL in a text: PostgreSQL refuses it, SQLite does not."""
    rows = [event_row(1, GOOD), event_row(2, alarm("nul\x00", raised=True)), event_row(3, GOOD)]
    ingest.take([node.events(rows), node.born()])
    ingest.take([node.batch([power_row(1, 1.0)])])
    assert acked_numbers(storage, node.telemetry_stream) == {1}
    assert acked_numbers(storage, node.event_stream) == {1, 2, 3}
    second = RowKind.MALFORMED if storage.is_postgresql else "alarm"
    assert told_by(storage, node) == [(1, "agent"), (2, second), (3, "agent")]


def test_a_gap_report_of_an_unknown_birth_waits_for_it(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    report = node.events([event_row(1, node.gap(1, 5, [bucket(1_000.0, 5)]))])
    ingest.take([report])
    assert acked_numbers(storage, node.event_stream) == set()
    ingest.take([node.born(), report])
    assert acked_numbers(storage, node.event_stream) == {1}


def test_a_second_report_of_the_same_rows_does_not_count(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    first = event_row(1, node.gap(1, 5, [bucket(1_000.0, 5)]))
    second = event_row(2, node.gap(4, 9, [bucket(1_000.0, 6)]))
    ingest.take([node.born(), node.events([first, second])])
    with storage.read() as conn:
        problems = list(conn.scalars(select(gaps.c.problem).order_by(gaps.c.id)))
    assert problems[0] is None
    assert "overlaps" in str(problems[1])


@pytest.mark.parametrize("wrong", ["bucket", "alias", "device"])
def test_a_report_whose_aggregates_cannot_be_used_still_names_the_rows_that_are_gone(
    storage: Storage, ingest: Ingest, node: FakeNode, wrong: str
) -> None:
    report = node.gap(1, 5, [bucket(1_000.0, 5, device=99 if wrong == "device" else 1)])
    data = dict(report.data)
    if wrong == "bucket":
        data["buckets"] = ["none"]
    if wrong == "alias":
        data["buckets"] = [[1, NOON_MS, {77: [1, 1.0, 1.0, 1.0]}]]
    told = Event(EventKind.GAP, Severity.WARNING, data)
    ingest.take([node.born(), node.batch([power_row(2, 1.0)])])
    for _ in range(2):
        ingest.take([node.events([event_row(1, told)])])
    assert acked_numbers(storage, node.event_stream) == {1}
    assert told_by(storage, node) == [(1, "gap")]
    with storage.read() as conn:
        (row,) = conn.execute(select(gaps)).all()
        (named,) = gaps_of(conn, [node.telemetry_stream]).values()
        codes = conn.scalars(select(alarms.c.code)).all()
    assert (row.first, row.last) == (1, 5)
    assert row.problem.startswith(UNREAD)
    assert list(named) == [1, 3, 4, 5]  # the second is committed, and goes on counting
    assert codes == ["gap-aggregates-unused"]


def test_replies_drive_a_command_and_a_terminal_state_never_changes(
    storage: Storage, ingest: Ingest, node: FakeNode, desk: CommandDesk, clock: StillClock
) -> None:
    ingest.take([node.born()])
    command_id = issue(storage, desk, node.name)
    published(storage, clock, command_id)
    readback = {"power_w": float("nan"), "raw": b"\x01", "ok": True}
    done = reply_event(Reply(command_id, 1, ReplyState.DONE, readback=readback))
    late = reply_event(Reply(command_id, 1, ReplyState.ACCEPTED))
    other = reply_event(Reply(command_id, 1, ReplyState.FAILED, "x", "y"))
    ingest.take([node.events([event_row(1, done), event_row(2, late), event_row(3, other)])])
    assert state_of(storage, command_id) == CommandState.DONE
    with storage.read() as conn:
        row = conn.execute(select(commands)).one()
        waiting = conn.scalar(select(func.count()).where(outbox.c.kind == "command"))
    assert row.readback == {"power_w": None, "raw": "01", "ok": True}
    assert row.accepted_ms is not None
    assert waiting == 0


def test_a_command_and_its_replies_are_one_trace_which_the_agent_finds_by_the_command_s_id(
    storage: Storage, ingest: Ingest, node: FakeNode, desk: CommandDesk, clock: StillClock
) -> None:
    ended: list[Span] = []
    ingest.take([node.born()])
    with collecting(ended.append):
        with traced() as asked_in:
            command_id = issue(storage, desk, node.name)
        published(storage, clock, command_id)
        done = reply_event(Reply(command_id, 1, ReplyState.DONE))
        ingest.take([node.events([event_row(1, done)])])
    given, taken = ended
    assert (given.place, given.parent) == (command_place(command_id), None)
    assert given.attributes == {"node": node.name, "asked_in": asked_in}
    assert (taken.place.trace, taken.parent) == (given.place.trace, given.place)


def test_a_reply_for_another_nodes_command_changes_nothing(
    storage: Storage, ingest: Ingest, node: FakeNode, desk: CommandDesk, clock: StillClock
) -> None:
    other = FakeNode(name="site-a-02", telemetry_stream=21, event_stream=22)
    ingest.take([node.born(), other.born()])
    command_id = issue(storage, desk, node.name)
    published(storage, clock, command_id)
    forged = reply_event(Reply(command_id, 1, ReplyState.DONE))
    ingest.take([other.events([event_row(1, forged)])])
    assert state_of(storage, command_id) == CommandState.SENT


def test_numbers_are_allotted_in_order_with_leaf_and_signature(
    storage: Storage, ingest: Ingest, node: FakeNode, desk: CommandDesk
) -> None:
    ingest.take([node.born()])
    ids = [issue(storage, desk, node.name) for _ in range(3)]
    with storage.read() as conn:
        rows = conn.execute(select(commands).order_by(commands.c.seq)).all()
        leaves = list(conn.scalars(select(audit_leaves.c.subject).order_by(audit_leaves.c.id)))
        told = [c.subject for c in changes_after(conn, 0) if c.kind is ChangeKind.COMMAND]
    assert [row.id for row in rows] == ids == leaves == told
    assert [row.seq for row in rows] == [1, 2, 3]
    keys = {desk.signer.key_id: desk.signer.key.public_key()}
    assert [verify(row.message, keys).id for row in rows] == ids


def test_an_order_that_cannot_be_given_leaves_nothing_behind(
    storage: Storage, node: FakeNode, desk: CommandDesk, clock: StillClock
) -> None:
    with pytest.raises(ConflictError, match="not been born"):
        issue(storage, desk, node.name)
    with pytest.raises(MissingError):
        issue(storage, desk, "nobody")
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(commands)) == 0
        assert conn.scalar(select(nodes.c.next_command_seq).where(nodes.c.name == node.name)) == 1


@pytest.mark.parametrize("lifetime_ms", [0, -1, 8 * 86_400_000])
def test_a_lifetime_out_of_bounds_is_refused(
    storage: Storage, ingest: Ingest, node: FakeNode, desk: CommandDesk, lifetime_ms: int
) -> None:
    ingest.take([node.born()])
    with pytest.raises(BadInputError, match="lifetime_ms"):
        issue(storage, desk, node.name, lifetime_ms)


def test_a_number_of_a_birth_keeps_its_meaning(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    swapped = FakeNode(metrics=tuple(reversed(node.metrics)), devices=node.devices[:1])
    ingest.take([node.born(), swapped.born()])
    with storage.read() as conn:
        assert set(conn.scalars(select(devices.c.name))) == {"miner-01", "miner-02"}
        assert set(conn.scalars(select(devices.c.declared))) == {True}
        assert set(conn.scalars(select(alarms.c.code))) == {"birth-refused"}


def test_a_lost_agent_database_becomes_new_streams_and_lowers_old_alarms(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), node.events([event_row(1, alarm("too-hot", raised=True))])])
    anew = FakeNode(telemetry_stream=101, event_stream=102, boot_id="boot-2")
    ingest.take([anew.born(), anew.batch([power_row(1, 1.0)]), node.born()])
    with storage.read() as conn:
        row = conn.execute(select(nodes).where(nodes.c.name == node.name)).one()
        standing = select(func.count()).where(alarms.c.lowered_ms.is_(None))
        assert (row.telemetry_stream, row.event_stream, row.boot_id) == (101, 102, "boot-2")
        assert conn.scalar(standing) == 0
        assert conn.scalar(select(func.count()).select_from(events)) == 1
