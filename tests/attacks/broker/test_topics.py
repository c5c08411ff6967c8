"""A node with a good certificate that reaches for what is not its own."""

import time

import pytest

from controller.detection.kinds import SecurityKind
from tests.attacks.broker.conftest import (
    ATTACKER,
    PATIENCE_S,
    VICTIM,
    Honest,
    Watched,
    connect,
)


@pytest.mark.parametrize(
    "topic",
    [
        *(f"bes/1/{VICTIM}/{channel}" for channel in ("telemetry", "event", "birth", "state")),
        f"bes/1/{VICTIM}/command",
        f"bes/1/{VICTIM}/ack",
        f"bes/1/{ATTACKER}/command",
        f"bes/1/{ATTACKER}/telemetry/more",
        "$CONTROL/dynamic-security/v1",
        "anything",
    ],
)
def test_publishing_under_what_is_not_its_own_is_refused(
    watched: Watched, honest: Honest, topic: str
) -> None:
    client = connect(watched.broker, watched.broker.credentials(ATTACKER), ATTACKER)
    assert client.connected.wait(PATIENCE_S)
    assert client.publish(topic, b"forged")[-1] == "Not authorized"
    assert watched.recorded(SecurityKind.PUBLISH_REFUSED, ATTACKER).detail["topic"] == topic
    client.close()
    honest.goes_on()


@pytest.mark.parametrize(
    "topic",
    [
        f"bes/1/{VICTIM}/command",
        f"bes/1/{VICTIM}/telemetry",
        "bes/1/+/command",
        "#",
        "$SYS/#",
        "$CONTROL/dynamic-security/v1/response",
        "$share/controller/bes/1/+/telemetry",
    ],
)
def test_reading_what_is_not_its_own_is_refused(
    watched: Watched, honest: Honest, topic: str
) -> None:
    client = connect(watched.broker, watched.broker.credentials(ATTACKER), ATTACKER)
    assert client.connected.wait(PATIENCE_S)
    client.subscribe(topic)
    assert watched.recorded(SecurityKind.SUBSCRIPTION_REFUSED, ATTACKER)
    honest.goes_on()
    honest.tell(b"for the victim only")
    own = f"bes/1/{ATTACKER}/command"
    client.subscribe(own)
    honest.tell_other(own, b"mine")
    deadline = time.monotonic() + PATIENCE_S
    while not client.received and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(client.received) == {(own, b"mine")}
    client.close()


def test_a_will_on_another_nodes_state_is_refused(watched: Watched, honest: Honest) -> None:
    client = connect(
        watched.broker,
        watched.broker.credentials(ATTACKER),
        ATTACKER,
        will=f"bes/1/{VICTIM}/state",
    )
    assert client.connected.wait(PATIENCE_S)
    event = watched.recorded(SecurityKind.PUBLISH_REFUSED, ATTACKER)
    assert event.detail["topic"] == f"bes/1/{VICTIM}/state"
    client.client.loop_stop()
    sock = client.client.socket()
    assert sock is not None
    sock.close()  # without a DISCONNECT, so that the broker sends the will
    honest.goes_on()
    assert all(not name.endswith("/state") for name, _payload in honest.heard)


def test_an_observer_reads_all_and_writes_nothing(watched: Watched, honest: Honest) -> None:
    client = connect(watched.broker, watched.broker.credentials("tap"), "tap")
    assert client.connected.wait(PATIENCE_S)
    client.subscribe("bes/1/+/+")
    honest.goes_on()
    assert client.publish(f"bes/1/{VICTIM}/command", b"forged")[-1] == "Not authorized"
    assert watched.recorded(SecurityKind.PUBLISH_REFUSED, "tap")
    assert not watched.events(SecurityKind.SUBSCRIPTION_REFUSED)
    client.close()
