"""A batch that breaks its form is read row by row as long as its numbers can be read."""

from typing import Any

import pytest

from controller.ingest.inbox import Incoming, Received, Refused, read_message
from shared.messages import cbor
from shared.messages.event import EventBatch
from shared.messages.telemetry import MAX_BODY, TelemetryBatch, encode_body
from shared.messages.topics import Channel, topic

GOOD = [1, 1_000, 1, encode_body({1: 2.0})]


def received(channel: Channel, fields: Any) -> Incoming | Refused:
    return read_message(Received(topic("site-a-01", channel), cbor.encode(fields)))


def telemetry(*rows: Any, **fields: Any) -> Incoming | Refused:
    batch = {"birth": 1, "historical": False, "stream": 11, "rows": list(rows)}
    return received(Channel.TELEMETRY, batch | fields)


@pytest.mark.parametrize(
    "row",
    [
        [2, 1_000, 1, b"\xff"],
        [2, 1_000, 1, cbor.encode([{1: None}])],
        [2, 1_000, 1, cbor.encode([{1: None}, {1: 250}])],
        [2, 1_000, 1, cbor.encode([{-1: 1.0}])],
        [2, 1_000, 1, bytes(MAX_BODY + 1)],
        [2, -1, 1, encode_body({1: 2.0})],
        [2, "noon", 1, encode_body({1: 2.0})],
        [2, 1_000],
    ],
    ids=["no CBOR", "no reason", "new reason", "alias", "size", "before time", "text", "short"],
)
def test_a_row_that_cannot_be_read_stands_apart_from_those_that_can(row: Any) -> None:
    read = telemetry(GOOD, row, [3, *GOOD[1:]])
    assert isinstance(read, Incoming)
    assert isinstance(read.content, TelemetryBatch)
    assert [good.seq for good in read.content.rows] == [1, 3]
    (bad,) = read.unreadable
    assert (bad.seq, bad.raw) == (2, cbor.encode(row))
    assert bad.problem.allowed


@pytest.mark.parametrize("fields", [{"birth": 0}, {"birth": "1"}, {"historical": None}])
def test_no_row_of_a_batch_that_names_no_birth_can_be_read(fields: dict[str, Any]) -> None:
    read = telemetry(GOOD, **fields)
    assert isinstance(read, Incoming)
    assert isinstance(read.content, TelemetryBatch)
    assert read.content.rows == ()
    assert [row.seq for row in read.unreadable] == [1]


@pytest.mark.parametrize("row", [[0, 1, 1, b""], ["2", 1, 1, b""], [], 7, {"seq": 2}, [True]])
def test_without_a_number_there_is_nothing_to_ack_and_the_message_is_refused(row: Any) -> None:
    assert isinstance(telemetry(GOOD, row), Refused)


def test_without_a_stream_the_message_is_refused() -> None:
    assert isinstance(telemetry([2], stream=-1), Refused)
    assert isinstance(received(Channel.EVENT, {"rows": [[1]]}), Refused)


def test_events_are_salvaged_alike() -> None:
    read = received(Channel.EVENT, {"stream": 12, "rows": [[1, 5, b"x"], [2, None, b"y"], [3]]})
    assert isinstance(read, Incoming)
    assert isinstance(read.content, EventBatch)
    assert [row.seq for row in read.content.rows] == [1]
    assert [row.seq for row in read.unreadable] == [2, 3]


def test_a_birth_is_read_whole_or_not_at_all() -> None:
    assert isinstance(received(Channel.BIRTH, {"stream": 1, "rows": [[1]]}), Refused)
