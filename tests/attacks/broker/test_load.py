"""Too much: one message too large, very many messages, bytes that are no MQTT."""

import socket
import time

from controller.detection.kinds import SecurityKind
from shared.messages import cbor
from shared.messages.topics import Channel, topic
from tests.attacks.broker.conftest import ATTACKER, PATIENCE_S, VICTIM, Honest, Watched, connect
from tests.brokers import HOST


def test_an_oversized_message_is_refused_and_ends_the_connection(
    watched: Watched, honest: Honest
) -> None:
    client = connect(watched.broker, watched.broker.credentials(ATTACKER), ATTACKER)
    assert client.connected.wait(PATIENCE_S)
    body = bytes(cbor.MAX_PAYLOAD + 2_048)
    client.client.publish(topic(ATTACKER, Channel.TELEMETRY), body, qos=1)
    assert client.ended.wait(PATIENCE_S)
    assert watched.recorded(SecurityKind.OVERSIZED_MESSAGE, ATTACKER)
    client.close()
    honest.goes_on()


def test_a_flood_of_refused_messages_is_counted_and_others_get_through(
    watched: Watched, honest: Honest
) -> None:
    client = connect(watched.broker, watched.broker.credentials(ATTACKER), ATTACKER)
    assert client.connected.wait(PATIENCE_S)
    for _ in range(2_000):
        client.client.publish(f"bes/1/{VICTIM}/telemetry", b"forged", qos=0)
    honest.goes_on()
    deadline = time.monotonic() + PATIENCE_S
    rows = watched.events(SecurityKind.PUBLISH_REFUSED)
    while sum(row.occurrences for row in rows) < 2_000 and time.monotonic() < deadline:
        time.sleep(0.1)
        rows = watched.events(SecurityKind.PUBLISH_REFUSED)
    assert [(row.subject, row.occurrences) for row in rows] == [(ATTACKER, 2_000)]
    client.close()


def test_bytes_that_are_no_mqtt_are_refused(watched: Watched, honest: Honest) -> None:
    context = watched.broker.client_context(ATTACKER)
    with (
        socket.create_connection((HOST, watched.broker.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        connection.sendall(b"\xff" * 64)
        connection.settimeout(PATIENCE_S)
        assert connection.recv(1) == b""
    assert watched.recorded(SecurityKind.PROTOCOL_VIOLATION)
    honest.goes_on()
