"""Every message family survives the wire, and refuses what is not of its form."""

import math
from collections.abc import Callable
from typing import Any

import cbor2
import pytest

from shared.errors import BadInputError
from shared.measured import Reason, Unknown
from shared.messages import cbor, event, telemetry
from shared.messages.ack import Ack, AckedRange
from shared.messages.birth import Birth, DeviceDeclaration, MetricDeclaration, MetricType
from shared.messages.event import Event, EventBatch, EventKind, EventRow, Severity
from shared.messages.gap import Aggregate, Bucket, Gap
from shared.messages.reply import Reply, ReplyState
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, decode_body, encode_body
from shared.messages.topics import Channel, Topic, check_node_name, parse_topic, topic

BIRTH = Birth(
    number=3,
    node="site-a-01",
    boot_id="b1",
    software="0.1.0",
    streams={"telemetry": 11, "event": 12},
    devices=(DeviceDeclaration(1, "miner-01", "miner", "luxos", {"model": "S19"}),),
    metrics=(
        MetricDeclaration(1, "power_w", "W", MetricType.FLOAT),
        MetricDeclaration(2, "preset", "", MetricType.TEXT),
    ),
    hashes={"models/price": "ab" * 32},
)
STATE = State(True, "b1", 1_700_000_000_000, None)
BATCH = TelemetryBatch(
    stream=11, birth=3, historical=False, rows=(TelemetryRow(1, 5, 1, encode_body({1: 3.5})),)
)
EVENT = Event(EventKind.ALARM, Severity.WARNING, {"code": "hot", "raised": True}, "miner-01")
EVENTS = EventBatch(stream=12, rows=(EventRow(9, 10, EVENT.encode()),))
ACK = Ack((AckedRange(11, 1, 5), AckedRange(12, 9, 9)), births_wanted=(2,))
GAP = Gap(
    stream=11,
    birth=3,
    first=10,
    last=20,
    from_ms=60_000,
    to_ms=120_000,
    reason="disk budget",
    width_ms=60_000,
    buckets=(Bucket(1, 60_000, {1: Aggregate(11, 1.0, 3.0, 22.0)}),),
)
REPLY = Reply("id-1", 4, ReplyState.UNVERIFIED, "power", "the meter did not follow", {"w": 3})

FAMILIES: list[tuple[Any, Callable[[bytes], Any]]] = [
    (BIRTH, Birth.decode),
    (STATE, State.decode),
    (BATCH, TelemetryBatch.decode),
    (EVENT, Event.decode),
    (EVENTS, EventBatch.decode),
    (ACK, Ack.decode),
]


@pytest.mark.parametrize(("message", "decode"), FAMILIES)
def test_a_message_comes_back_as_it_was(message: Any, decode: Callable[[bytes], Any]) -> None:
    assert decode(message.encode()) == message


@pytest.mark.parametrize(("message", "decode"), FAMILIES)
def test_each_missing_field_is_refused_by_name(
    message: Any, decode: Callable[[bytes], Any]
) -> None:
    fields = cbor.decode(message.encode())
    for name in fields:
        rest = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(BadInputError) as refused:
            decode(cbor.encode(rest))
        assert refused.value.field == name


@pytest.mark.parametrize(("message", "decode"), FAMILIES)
def test_each_field_of_another_type_is_refused(
    message: Any, decode: Callable[[bytes], Any]
) -> None:
    fields = cbor.decode(message.encode())
    for name in fields:
        with pytest.raises(BadInputError):
            decode(cbor.encode({**fields, name: [[-1.5]]}))


@pytest.mark.parametrize("decode", [decode for _, decode in FAMILIES])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"\x9f\x01\xff",
        b"\xa2\x61a\x01\x61a\x02",
        b"[" * 50,
        bytes(cbor.MAX_PAYLOAD + 1),
    ],
    ids=["empty", "break", "indefinite", "repeated key", "text", "too large"],
)
def test_what_is_not_plain_cbor_is_refused(decode: Callable[[bytes], Any], payload: bytes) -> None:
    with pytest.raises(BadInputError):
        decode(payload)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BadInputError):
        cbor.decode(b"\x81" * 5_000 + b"\x01")


def test_gap_and_reply_travel_as_data_of_events() -> None:
    gap = Event(EventKind.GAP, Severity.WARNING, GAP.to_data())
    assert Gap.from_data(Event.decode(gap.encode()).data) == GAP
    reply = Event(EventKind.REPLY, Severity.INFO, REPLY.to_data(), "miner-01")
    assert Reply.from_data(Event.decode(reply.encode()).data) == REPLY


@pytest.mark.parametrize(
    "change",
    [{"last": 9}, {"width_ms": 59_999}, {"buckets": [[1, 0, {1: [0, 1, 1, 1]}]]}, {"birth": 0}],
)
def test_a_gap_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        Gap.from_data({**GAP.to_data(), **change})


def test_an_event_larger_than_its_bound_is_refused() -> None:
    with pytest.raises(BadInputError):
        Event(EventKind.ALARM, Severity.INFO, {"text": "x" * (event.MAX_BODY + 1)}).encode()


def test_a_body_tells_zero_unknown_and_absent_apart() -> None:
    body = encode_body({1: 0.0, 2: Unknown(Reason.TIMEOUT), 3: False})
    assert decode_body(body) == {1: 0.0, 2: Unknown(Reason.TIMEOUT), 3: False}


@pytest.mark.parametrize(
    "body", [[], [1], [{1: None}], [{1: None}, {1: 99}], [{1: [2]}], [{"a": 1}], {"1": 1}]
)
def test_a_malformed_body_is_refused(body: Any) -> None:
    with pytest.raises(BadInputError):
        decode_body(cbor2.dumps(body))


@pytest.mark.parametrize("row", [[0, 1, 1, b""], [1, -1, 1, b""], [1, 1, 1, "x"], [1, 1, 1]])
def test_a_malformed_row_is_refused(row: Any) -> None:
    fields = cbor.decode(BATCH.encode())
    with pytest.raises(BadInputError):
        TelemetryBatch.decode(cbor.encode({**fields, "rows": [row]}))


def test_as_many_rows_as_fit_make_a_payload_within_the_bound() -> None:
    rows = [TelemetryRow(cbor.MAX_INT64 - i, cbor.MAX_INT64, i, bytes(700)) for i in range(2_000)]
    count = telemetry.rows_that_fit(rows)
    batch = TelemetryBatch(
        cbor.MAX_INT64, cbor.MAX_INT64, historical=True, rows=tuple(rows[:count])
    )
    assert 200 < count < 2_000
    assert len(batch.encode()) <= cbor.MAX_PAYLOAD
    events = [EventRow(cbor.MAX_INT64, cbor.MAX_INT64, bytes(event.MAX_BODY)) for _ in range(3)]
    assert event.rows_that_fit(events) == 1


def test_repeated_aliases_in_a_birth_are_refused() -> None:
    fields = cbor.decode(BIRTH.encode())
    with pytest.raises(BadInputError, match="alias"):
        Birth.decode(cbor.encode({**fields, "metrics": fields["metrics"][:1] * 2}))


def test_topics_are_read_as_they_are_written() -> None:
    for channel in Channel:
        assert parse_topic(topic("site-a-01", channel)) == Topic("site-a-01", channel)


@pytest.mark.parametrize(
    "text",
    ["bes/1/a", "bes/2/a/state", "bes/1/a/other", "bes/1/A/state", "bes/1/+/state", "bes/1//state"],
)
def test_a_topic_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_topic(text)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a/b", "a.b", "ä", "a" * 64, "a\n"])
def test_a_node_name_that_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(BadInputError):
        check_node_name(name)


HUGE = b"\xc2\x5a\x00\x00\x10\x00" + b"\xff" * 4_096  # an integer of 9,865 digits


@pytest.mark.parametrize("tag", [*range(300), 1_004, 43_000, 55_799, 70_000])
def test_nothing_tagged_is_taken(tag: int) -> None:
    head = b"\xda" + tag.to_bytes(4, "big")
    for content in (b"\x41\x01", b"\x01", b"\x82\x01\x02", b"\x61a"):
        with pytest.raises(BadInputError, match="well-formed"):
            cbor.decode(head + content)


def test_a_number_of_thousands_of_digits_is_refused_wherever_it_stands() -> None:
    """Python raises an error of its own when such a number is to be printed."""
    for decode in (TelemetryBatch.decode, EventBatch.decode, Birth.decode, State.decode):
        for payload in (HUGE, b"\x81" + HUGE, b"\xa1\x64rows\x81\x81" + HUGE):
            with pytest.raises(BadInputError):
                decode(payload)


def test_an_aggregate_is_of_finite_numbers() -> None:
    for numbers in ([math.inf] * 3, [-math.inf, 0, 0], [0, 0, math.nan]):
        data = GAP.to_data() | {"buckets": [[1, 0, {1: [1, *numbers]}]]}
        with pytest.raises(BadInputError, match="finite"):
            Gap.from_data(data)
