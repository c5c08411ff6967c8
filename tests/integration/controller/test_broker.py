"""The controller's connection against a real mosquitto."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.broker import Broker as Connection
from controller.broker import Fate, Publication
from controller.config import BrokerConfig
from controller.ingest.inbox import Received
from controller.metrics import ControllerMetrics
from tests.brokers import CONTROLLER, HOST, Broker, running_broker
from tests.mqtt_client import node_client
from tests.waiting import PATIENCE_S, wait_for

NODE = "site-a-01"
ACK = f"bes/1/{NODE}/ack"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def connection(broker: Broker, received: list[Received]) -> Connection:
    credentials = broker.credentials(CONTROLLER)
    config = BrokerConfig(
        host=HOST,
        port=broker.port,
        ca_file=broker.ca_file,
        certificate_file=credentials.certificate_file,
        key_file=credentials.key_file,
    )
    opened = Connection(config, ControllerMetrics(), received.append, lambda: None)
    opened.start()
    wait_for(lambda: opened.connected, "the connection")
    return opened


def test_publishing_while_confirmations_come_never_locks_up(broker: Broker) -> None:
    """Once a lock was held while paho sent, which its callback wanted too: both waited for ever."""
    opened = connection(broker, [])
    fates: list[Fate] = []

    def publish_many() -> None:
        published = [opened.publish(ACK, bytes(200)) for _ in range(2_000)]
        fates.extend(one.wait(PATIENCE_S) for one in published)

    threads = [threading.Thread(target=publish_many, daemon=True) for _ in range(3)]
    with node_client(broker, NODE):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert fates == [Fate.TAKEN] * 6_000
    opened.stop()


def test_a_message_that_nobody_listens_to_is_told_so(broker: Broker) -> None:
    opened = connection(broker, [])
    assert opened.publish(ACK, b"x").wait(PATIENCE_S) is Fate.NOBODY
    opened.stop()


def test_what_the_broker_did_not_confirm_is_lost_with_the_connection(broker: Broker) -> None:
    opened = connection(broker, [])
    broker.pause()
    publications: list[Publication] = [opened.publish(ACK, b"x") for _ in range(5)]
    broker.kill()
    assert {one.wait(PATIENCE_S) for one in publications} == {Fate.LOST}
    wait_for(lambda: not opened.connected, "the connection to be noticed as lost")
    assert opened.publish(ACK, b"x").wait(0) is Fate.LOST
    broker.start()
    wait_for(lambda: opened.connected, "the connection to come back")
    opened.stop()


def test_messages_left_unconfirmed_come_no_faster_than_the_receive_maximum(broker: Broker) -> None:
    received: list[Received] = []
    opened = connection(broker, received)
    with node_client(broker, NODE) as client:
        for _ in range(400):
            client.publish(f"bes/1/{NODE}/event", b"x")
        wait_for(lambda: len(received) >= 100, "the first messages")
        held = len(received)
        assert held <= 200
        for one in received:
            opened.confirm(one.token)
        wait_for(lambda: len(received) > held, "more after confirming")
    opened.stop()
