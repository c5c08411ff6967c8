"""Rows that can never be read are kept as they came, acked once, and hold nothing up."""

from typing import Any

import pytest
from sqlalchemy import Row, func, select

from controller.detection.kinds import SecurityKind
from controller.ingest import quarantine as room
from controller.ingest.inbox import Received
from controller.ingest.runner import Ingest
from controller.metrics import ControllerMetrics
from controller.retention.job import RetentionJob
from controller.storage.engine import Storage
from controller.storage.tables import (
    alarms,
    ingested,
    quarantine,
    retention,
    security_events,
    streams,
    telemetry,
)
from shared.messages import cbor
from shared.messages.telemetry import TelemetryRow, encode_body
from shared.messages.topics import Channel
from tests.integration.controller.ingest.test_telemetry import acks_for, committed_numbers
from tests.nodes import NOON_MS, FakeNode, StillClock, power_row

BAD = TelemetryRow(2, NOON_MS, 1, b"\xff\x00 no CBOR")
STRANGE = power_row(3, 1.0, device=99)


def kept(storage: Storage) -> list[Row[Any]]:
    with storage.read() as conn:
        return list(
            conn.execute(select(quarantine).order_by(quarantine.c.stream, quarantine.c.seq))
        )


def acked(storage: Storage, node: FakeNode, stream: int) -> set[int]:
    ranges = [r for ack in acks_for(storage, node.name) for r in ack.ranges if r.stream == stream]
    return {n for r in ranges for n in range(r.first, r.last + 1)}


def mixed(node: FakeNode) -> Received:
    return node.batch([power_row(1, 1.0), BAD, STRANGE, power_row(4, 1.0)])


def test_the_others_of_a_batch_are_committed_and_all_are_acked(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), mixed(node)])
    assert committed_numbers(storage, node.telemetry_stream) == [1, 4]
    assert acked(storage, node, node.telemetry_stream) == {1, 2, 3, 4}
    bad, strange = kept(storage)
    assert (bad.seq, bad.node, bad.kind, bad.birth) == (2, node.name, "telemetry", 1)
    assert cbor.decode(bad.body) == [BAD.seq, BAD.time_ms, BAD.device, BAD.body]
    assert cbor.decode(strange.body) == [3, STRANGE.time_ms, 99, STRANGE.body]
    assert "alias 99" in strange.problem
    with storage.read() as conn:
        assert conn.scalar(select(ingested.c.rows)) == 2
        assert conn.scalar(select(streams.c.rows).where(streams.c.kind == "telemetry")) == 4
        assert conn.scalars(select(alarms.c.code)).all() == ["telemetry-unreadable"]
        told = conn.execute(select(security_events)).one()
    assert (told.kind, told.subject) == (SecurityKind.MESSAGE_REFUSED, node.name)
    assert (told.detail["kept"], told.occurrences) == ("quarantine", 2)


def test_sent_again_they_are_acked_again_and_kept_once(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([node.born(), mixed(node), mixed(node)])
    ingest.take([mixed(node)])
    assert len(kept(storage)) == 2
    assert acks_for(storage, node.name)[-1].ranges[0].last == 4
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(telemetry)) == 2
        assert conn.scalar(select(security_events.c.occurrences)) == 2


def test_a_batch_of_which_nothing_can_be_read_is_kept_and_acked_too(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    rows = [[7, NOON_MS, 1, encode_body({1: 2.0})]]
    batch = {"birth": None, "historical": False, "rows": rows, "stream": node.telemetry_stream}
    ingest.take([node.born(), node.received(Channel.TELEMETRY, cbor.encode(batch))])
    (row,) = kept(storage)
    assert (row.seq, row.birth, cbor.decode(row.body)) == (7, None, rows[0])
    assert acked(storage, node, node.telemetry_stream) == {7}


def test_rows_of_a_birth_that_is_not_known_yet_wait_for_it(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    ingest.take([mixed(node)])
    assert kept(storage) == []
    assert acked(storage, node, node.telemetry_stream) == set()


def test_an_event_without_a_time_is_kept_and_its_neighbours_count(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    batch = {"rows": [[1, NOON_MS, b"\x00"], [2, None, b"x"]], "stream": node.event_stream}
    ingest.take([node.received(Channel.EVENT, cbor.encode(batch))])
    (row,) = kept(storage)
    assert (row.seq, row.kind, cbor.decode(row.body)) == (2, "event", [2, None, b"x"])
    assert acked(storage, node, node.event_stream) == {1, 2}


def test_another_node_s_stream_gets_nothing_into_the_quarantine(
    storage: Storage, ingest: Ingest, node: FakeNode
) -> None:
    thief = FakeNode(name="site-a-02", telemetry_stream=21, event_stream=22)
    ingest.take([node.born(), thief.born(), thief.batch([BAD], stream=node.telemetry_stream)])
    assert kept(storage) == []
    assert acks_for(storage, thief.name) == []


def test_beyond_the_bound_they_stay_with_their_node_and_the_others_go_on(
    storage: Storage, ingest: Ingest, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_ROWS_A_NODE", 1)
    ingest.take([node.born(), mixed(node)])
    assert kept(storage) == []
    assert committed_numbers(storage, node.telemetry_stream) == [1, 4]
    assert acked(storage, node, node.telemetry_stream) == {1, 4}
    with storage.read() as conn:
        assert conn.scalars(select(alarms.c.code)).all() == ["telemetry-refused"]


def test_retention_ends_them_with_their_class_of_data(
    storage: Storage, ingest: Ingest, node: FakeNode, clock: StillClock
) -> None:
    ingest.take([node.born(), mixed(node)])
    job = RetentionJob(storage, clock, ControllerMetrics())
    job.round()
    assert len(kept(storage)) == 2
    with storage.read() as conn:
        keep_ms = conn.scalar(
            select(retention.c.keep_ms).where(retention.c.data_class == "telemetry")
        )
    clock.time_ms += int(keep_ms or 0) + 1
    job.round()
    assert kept(storage) == []
