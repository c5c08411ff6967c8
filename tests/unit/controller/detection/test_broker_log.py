"""Mosquitto's lines, as 2.0.11 wrote them, become findings."""

import pytest

from controller.detection.broker_log import (
    BrokerLogReader,
    Connection,
    Finding,
    at_two_places,
)
from controller.detection.kinds import SecurityKind

TRUSTED = frozenset({"controller", "tap"})
_AT = "2026-11-25T09:58:47: "


def read(*lines: str) -> list[Finding]:
    reader = BrokerLogReader(TRUSTED)
    found = [reader.read(line if line[:2] == "20" else f"{_AT}{line}") for line in lines]
    return [one for one in found if one is not None]


def test_a_refused_publish_names_client_and_topic() -> None:
    found = read(
        "Denied PUBLISH from site-a-01 "
        "(d0, q1, r0, m2, 'bes/1/site-b-01/telemetry', ... (1 bytes))",
        "Sending PUBACK to site-a-01 (m2, rc135)",
    )
    kind, subject = SecurityKind.PUBLISH_REFUSED, "site-a-01"
    assert found == [Finding(kind, subject, {"topic": "bes/1/site-b-01/telemetry", "bytes": "1"})]


@pytest.mark.parametrize(
    "topic",
    [
        "bes/1/site-b-01/command",
        "#",
        "$SYS/#",
        "$CONTROL/dynamic-security/v1/response",
        "bes/1/+/ack",
    ],
)
def test_a_foreign_subscription_is_found_and_ones_own_is_not(topic: str) -> None:
    found = read(
        "Received SUBSCRIBE from site-a-01",
        f"\t{topic} (QoS 1)",
        f"site-a-01 1 {topic}",
        "site-a-01 1 bes/1/site-a-01/command",
        "site-a-01 1 bes/1/site-a-01/ack",
        f"controller 1 {topic}",
        f"tap 0 {topic}",
    )
    assert found == [Finding(SecurityKind.SUBSCRIPTION_REFUSED, "site-a-01", {"topic": topic})]


def test_a_refused_certificate_names_the_address_where_only_one_can_be_meant() -> None:
    found = read(
        "New connection from 10.0.0.7:39333 on port 8883.",
        "OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed",
        "Client <unknown> disconnected: Protocol error.",
    )
    kind = SecurityKind.CERTIFICATE_REFUSED
    assert found == [Finding(kind, "10.0.0.7", {"why": "certificate verify failed"})]


def test_of_several_connections_none_is_accused() -> None:
    found = read(
        "New connection from 10.0.0.7:1 on port 8883.",
        "New connection from 10.0.0.8:2 on port 8883.",
        "OpenSSL Error[0]: error:0A000102:SSL routines::unsupported protocol",
    )
    assert [(one.subject, one.detail["why"]) for one in found] == [
        ("unknown", "unsupported protocol")
    ]


def test_an_old_tls_version_refused_at_once_is_found() -> None:
    found = read(
        "Client connection from 10.0.0.9 failed: error:0A000102:SSL routines::unsupported protocol."
    )
    assert [(one.kind, one.subject) for one in found] == [
        (SecurityKind.CERTIFICATE_REFUSED, "10.0.0.9")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Client connection from 127.0.0.1 failed: "
        "error:0A000126:SSL routines::unexpected eof while reading.",
        "Client connection from 127.0.0.1 failed: error:0A00009C:SSL routines::http request.",
        "No will message specified.",
        "Client site-a-01 disconnected.",
        "Saving in-memory database to /var/lib/mosquitto/mosquitto.db.",
        "mosquitto version 2.0.11 starting",
        "",
    ],
)
def test_what_is_harmless_is_no_finding(line: str) -> None:
    assert read(line) == []


def test_an_oversized_message_and_a_broken_packet_end_a_connection_and_are_found() -> None:
    found = read(
        "Client site-c-01 disconnected due to oversize packet.",
        "New connection from 10.0.0.7:45076 on port 8883.",
        "Client <unknown> disconnected due to protocol error.",
        "Client site-d-01 disconnected due to malformed packet.",
    )
    assert [(one.kind, one.subject) for one in found] == [
        (SecurityKind.OVERSIZED_MESSAGE, "site-c-01"),
        (SecurityKind.PROTOCOL_VIOLATION, "10.0.0.7"),
        (SecurityKind.PROTOCOL_VIOLATION, "site-d-01"),
    ]


def test_a_will_on_anothers_topic_is_found_and_ones_own_is_not() -> None:
    def connect(will: str) -> tuple[str, ...]:
        return (
            "New connection from 10.0.0.7:40737 on port 8883.",
            "New client connected from 10.0.0.7:40737 as site-w-01 (p5, c1, k60, u'site-w-01').",
            "Will message specified (1 bytes) (r1, q1).",
            f"\t{will}",
        )

    assert read(*connect("bes/1/site-w-01/state")) == []
    found = read(*connect("bes/1/site-b-01/state"))
    kind = SecurityKind.PUBLISH_REFUSED
    assert found == [Finding(kind, "site-w-01", {"topic": "bes/1/site-b-01/state", "as": "will"})]


def test_a_list_that_cannot_be_loaded_is_told_for_the_broker_then_lets_everybody_in() -> None:
    found = read(
        'Error: Unable to load certificate revocation file "/etc/bes/crl.pem". Check crlfile.'
    )
    assert [(one.kind, one.subject) for one in found] == [
        (SecurityKind.BROKER_MISCONFIGURED, "broker")
    ]


def _connects(minute: int, address: str, *, takes_over: bool) -> list[str]:
    at = f"2026-11-25T10:{minute:02}:00: "
    lines = [f"{at}New connection from {address}:4000 on port 8883."]
    if takes_over:
        lines.append(f"{at}Client site-a-01 already connected, closing old connection.")
    user = "(p5, c0, k60, u'site-a-01')"
    lines.append(f"{at}New client connected from {address}:4000 as site-a-01 {user}.")
    return lines


def test_two_agents_that_take_the_session_from_each_other_are_found() -> None:
    lines = _connects(0, "10.0.0.7", takes_over=False)
    for minute in (1, 2, 3):
        lines += _connects(minute, "10.0.0.7", takes_over=True)
    found = read(*lines)
    assert [(one.kind, one.subject) for one in found] == [
        (SecurityKind.AGENT_AT_TWO_PLACES, "site-a-01")
    ]


def test_turns_from_two_addresses_are_found_at_the_second_turn() -> None:
    lines = _connects(0, "10.0.0.7", takes_over=False)
    lines += _connects(1, "10.9.9.9", takes_over=True)
    assert read(*lines) == []
    lines += _connects(2, "10.0.0.7", takes_over=True)
    assert [one.detail["addresses"] for one in read(*lines)] == ["10.0.0.7, 10.9.9.9"]


def test_a_lost_link_that_comes_back_another_way_is_no_second_agent() -> None:
    assert not at_two_places(
        (Connection(0, "a", took_over=False), Connection(60, "b", took_over=True))
    )
    hours = tuple(Connection(hour * 3_600, "a", took_over=True) for hour in range(8))
    assert not at_two_places(hours)
