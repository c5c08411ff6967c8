"""Telemetry from message to rows and acks, on both databases."""

import pytest
from sqlalchemy import func, select

from controller.ingest.runner import Ingest, IngestHooks
from controller.storage.engine import Storage
from controller.storage.tables import alarms, events, ingested, outbox, streams, telemetry
from shared.messages.ack import Ack, AckedRange
from shared.messages.topics import Channel
from tests.nodes import NOON_MS, FakeNode, power_row


def committed_numbers(storage: Storage, stream: int) -> list[int]:
    with storage.read() as conn:
        query = select(telemetry.c.seq).where(telemetry.c.stream == stream)
        return list(conn.scalars(query.order_by(telemetry.c.seq)))


def acks_for(storage: Storage, node: str) -> list[Ack]:
    with storage.read() as conn:
        query = select(outbox.c.payload).where(outbox.c.node == node, outbox.c.kind == "ack")
        return [Ack.decode(payload) for payload in conn.scalars(query.order_by(outbox.c.id))]


def alarm_codes(storage: Storage) -> list[str]:
    with storage.read() as conn:
        return list(conn.scalars(select(alarms.c.code).order_by(alarms.c.id)))


def test_rows_are_committed_with_their_ack(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), node.batch([power_row(seq, 3_000.0) for seq in (1, 2, 3)])])
    assert committed_numbers(storage, node.telemetry_stream) == [1, 2, 3]
    assert acks_for(storage, node.name) == [Ack((AckedRange(node.telemetry_stream, 1, 3),))]


def test_rows_sent_again_are_acked_again_and_stored_once(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    first = node.batch([power_row(seq, 1.0) for seq in (1, 2, 3)])
    overlapping = node.batch([power_row(seq, 2.0) for seq in (5, 3, 4, 5)])
    ingest.take([node.born(), first])
    ingest.take([overlapping, first])
    assert committed_numbers(storage, node.telemetry_stream) == [1, 2, 3, 4, 5]
    assert acks_for(storage, node.name)[-1].ranges == (AckedRange(node.telemetry_stream, 1, 5),)
    with storage.read() as conn:
        assert conn.scalar(select(streams.c.rows).where(streams.c.kind == "telemetry")) == 5


def test_a_batch_of_an_unknown_birth_is_not_acked_and_the_birth_is_asked_for(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.batch([power_row(1, 1.0)], birth=7)])
    ingest.take([node.born(1), node.batch([power_row(1, 1.0)], birth=2)])
    assert committed_numbers(storage, node.telemetry_stream) == []
    assert acks_for(storage, node.name) == [Ack((), (7,)), Ack((), (2,))]


def test_a_stream_of_another_node_is_refused(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    thief = FakeNode(name="site-a-02", telemetry_stream=21, event_stream=22)
    ingest.take([node.born(), thief.born()])
    ingest.take([thief.batch([power_row(1, 9.0)], stream=node.telemetry_stream)])
    assert committed_numbers(storage, node.telemetry_stream) == []
    assert acks_for(storage, thief.name) == []
    assert alarm_codes(storage) == ["telemetry-refused"]


def test_a_birth_that_claims_another_nodes_stream_is_refused(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), FakeNode(name="site-a-02").born()])
    with storage.read() as conn:
        owners = set(conn.scalars(select(streams.c.node)))
    assert owners == {node.name}
    assert alarm_codes(storage) == ["birth-refused"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xff",
        b"\xa0",
        b"\x9f\x01\xff",
        b"\xa1\x65birth\x01",
        b"\xa1\x64rows\x81\x81\xc2\x59\x20\x00" + b"\xff" * 8_192,  # a number of 19,729 digits
        b"\xa1\x64rows\x81\x81\xd8\x1c\x81\xd8\x1d\x00",  # an array that holds itself
    ],
)
@pytest.mark.parametrize(
    "channel", [Channel.TELEMETRY, Channel.EVENT, Channel.BIRTH, Channel.STATE]
)
def test_a_malformed_payload_raises_one_alarm_and_is_not_acked(
    storage: Storage, ingest: Ingest, node: FakeNode, channel: Channel, payload: bytes
) -> None:
    ingest.take([node.received(channel, payload), node.received(channel, payload)])
    ingest.take([node.received(channel, payload)])
    assert acks_for(storage, node.name) == []
    assert alarm_codes(storage) == [f"{channel}-refused"]
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(events)) == 1


def test_a_malformed_batch_does_not_hold_back_the_others_of_its_group(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    unknown_device = node.batch([power_row(4, 1.0, device=99)])
    ingest.take([node.born(), node.batch([power_row(1, 1.0)]), unknown_device])
    assert committed_numbers(storage, node.telemetry_stream) == [1]


def test_an_unknown_node_changes_nothing(storage: Storage, ingest: Ingest, node: FakeNode) -> None:
    stranger = FakeNode(name="nobody", telemetry_stream=31, event_stream=32)
    ingest.take([stranger.born(), stranger.state(online=True), stranger.batch([power_row(1, 1.0)])])
    with storage.read() as conn:
        for table in (streams, telemetry, outbox, alarms, ingested):
            assert conn.scalar(select(func.count()).select_from(table)) == 0


def test_rows_dated_far_off_are_kept_too(storage: Storage, ingest: Ingest, node: FakeNode) -> None:
    times = [0, NOON_MS, NOON_MS + 90 * 86_400_000, 2**62]
    rows = [power_row(seq, 1.0, time_ms) for seq, time_ms in enumerate(times, start=1)]
    ingest.take([node.born(), node.batch(rows)])
    assert committed_numbers(storage, node.telemetry_stream) == [1, 2, 3, 4]


def test_an_ingest_that_ended_says_so(ingest: Ingest) -> None:
    assert ingest.problem() is None
    ingest.start(IngestHooks(lambda _token: None, lambda: None))
    assert ingest.problem() is None
    ingest.stop()
    assert ingest.problem() == "its thread has ended"
