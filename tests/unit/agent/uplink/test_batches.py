"""Rows of the buffer as payloads, and their deletion."""

import sqlite3
import ssl
from pathlib import Path

import pytest

from agent.buffer import rows
from agent.buffer.births import Declared, DeviceDescription, Identity, register
from agent.buffer.rows import NewRow
from agent.schema import migrate
from agent.uplink.backoff import reconnect_after_s
from agent.uplink.batches import load
from agent.uplink.deleter import delete_spans
from agent.uplink.happenings import Read
from agent.uplink.link import BrokerAddress, LinkError, tls_context
from agent.uplink.state import Stream
from shared.messages import cbor
from shared.messages.event import EventBatch
from shared.messages.telemetry import TelemetryBatch
from tests.agents import MINERS, count
from tests.brokers import Broker

STREAM = 77


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys = ON")
    migrate(made)
    return made


def _birth(connection: sqlite3.Connection) -> int:
    streams = {"telemetry": 1, "event": 2}
    declared = Declared(Identity("n", "b", "s"), streams, (DeviceDescription("m", "miner", "x"),))
    return register(connection, declared, {}).number


def _rows(connection: sqlite3.Connection, birth: int, count: int, size: int = 10) -> None:
    for n in range(count):
        NewRow(birth, n, 1, bytes(size)).insert(connection)


def _read(first: int, last: int, *, most: int = 1_000, stream: Stream = Stream.TELEMETRY) -> Read:
    return Read(1, stream, ((first, last),), most, historical=True)


def test_a_batch_names_its_stream_birth_and_whether_it_is_late(
    connection: sqlite3.Connection,
) -> None:
    birth = _birth(connection)
    _rows(connection, birth, 5)
    loaded = load(connection, STREAM, _read(2, 4))
    assert loaded.payload is not None
    batch = TelemetryBatch.decode(loaded.payload)
    assert (batch.stream, batch.birth, batch.historical) == (STREAM, birth, True)
    assert [row.seq for row in batch.rows] == [2, 3, 4]
    assert (loaded.rows.spans, loaded.through, loaded.birth) == (((2, 4),), 4, birth)


def test_a_batch_has_rows_of_one_birth(connection: sqlite3.Connection) -> None:
    first = _birth(connection)
    _rows(connection, first, 3)
    second = _birth(connection)
    _rows(connection, second, 3)
    loaded = load(connection, STREAM, _read(1, 6))
    assert (loaded.rows.spans, loaded.through, loaded.birth) == (((1, 3),), 3, first)
    loaded = load(connection, STREAM, _read(4, 6))
    assert (loaded.rows.spans, loaded.birth) == (((4, 6),), second)


def test_payloads_stay_within_their_bound(connection: sqlite3.Connection) -> None:
    _rows(connection, _birth(connection), 40, size=16_000)
    for n in range(5):
        rows.insert_event(connection, n, bytes(190_000))
    loaded = load(connection, STREAM, _read(1, 40))
    assert loaded.payload is not None
    assert len(loaded.payload) <= cbor.MAX_PAYLOAD
    assert 1 < len(loaded.rows) < 40
    assert loaded.through == len(loaded.rows)
    events = load(connection, STREAM, _read(1, 5, stream=Stream.EVENT))
    assert events.payload is not None
    assert len(events.payload) <= cbor.MAX_PAYLOAD
    assert [row.seq for row in EventBatch.decode(events.payload).rows] == [1]


def test_numbers_that_are_gone_are_skipped_over(connection: sqlite3.Connection) -> None:
    _rows(connection, _birth(connection), 10)
    assert delete_spans(connection, Stream.TELEMETRY, ((1, 3), (6, 6)))[0] == 4
    loaded = load(connection, STREAM, _read(1, 10, most=3))
    assert (loaded.rows.spans, loaded.through) == (((4, 5), (7, 7)), 7)
    loaded = load(connection, STREAM, _read(8, 500))
    assert (loaded.rows.spans, loaded.through) == (((8, 10),), 500)
    loaded = load(connection, STREAM, _read(11, 500))
    assert (loaded.payload, loaded.through) == (None, 500)


def test_a_large_ack_is_deleted_in_bounded_steps(connection: sqlite3.Connection) -> None:
    _rows(connection, _birth(connection), 4_500)
    spans = ((1, 1_000), (1_001, 4_400))
    deleted, done = delete_spans(connection, Stream.TELEMETRY, spans)
    assert (deleted, done.spans) == (2_000, ((1, 1_000),))
    deleted, done = delete_spans(connection, Stream.TELEMETRY, spans[1:])
    assert deleted == 2_000
    deleted, done = delete_spans(connection, Stream.TELEMETRY, spans[1:])
    assert (deleted, done.spans) == (400, spans[1:])
    assert count(connection, "telemetry") == 100


def test_reconnecting_backs_off_and_is_spread() -> None:
    waits = [reconnect_after_s(failures, 0.5) for failures in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] == 0.75
    assert waits[-1] == 45.0
    assert reconnect_after_s(5, 0.0) < reconnect_after_s(5, 0.9)
    assert reconnect_after_s(10_000, 1.0) == 60.0


def test_only_tls_1_3_with_a_checked_name_is_spoken(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    files = broker.credentials("site-a-01")
    address = BrokerAddress("127.0.0.1", 1, broker.ca_file, files.certificate_file, files.key_file)
    context = tls_context(address)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    missing = BrokerAddress(
        "127.0.0.1", 1, tmp_path / "none.pem", files.certificate_file, files.key_file
    )
    with pytest.raises(LinkError, match="TLS files"):
        tls_context(missing)


def test_the_devices_of_a_birth_are_those_declared(connection: sqlite3.Connection) -> None:
    declared = Declared(Identity("n", "b", "s"), {"telemetry": 1, "event": 2}, MINERS)
    registry = register(connection, declared, {})
    assert set(registry.devices) == {device.name for device in MINERS}
    again = register(connection, declared, {})
    assert again.devices == registry.devices
    assert again.number == registry.number + 1
