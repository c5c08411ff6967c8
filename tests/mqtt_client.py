"""A node's MQTT connection without a node behind it, for tests and benchmarks."""

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from shared.messages.topics import DOWN, topic
from tests.brokers import HOST, Broker

PATIENCE_S = 60.0


def send_at_once(_client: mqtt.Client, _data: Any, connection: Any) -> None:
    """paho's `on_socket_open`: small messages do not wait for a delayed TCP acknowledgement."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class NodeClient:
    """Connected with a node's certificate; what comes down is in `inbox` as (topic, payload)."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.inbox: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._name = name
        self._ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5
        )
        self._client.tls_set_context(broker.client_context(name))
        self._client.max_inflight_messages_set(200)
        self._client.on_socket_open = send_at_once
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._received
        self._client.connect(HOST, broker.port, clean_start=True)
        self._client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise TimeoutError(f"{name} cannot connect")

    def publish(self, topic_name: str, payload: bytes, *, retain: bool = False) -> Any:
        """Queues a message at QoS 1; returns paho's info."""
        return self._client.publish(topic_name, payload, qos=1, retain=retain)

    def next(self, channel: str) -> bytes:
        """The next payload of a channel; others before it are dropped."""
        while True:
            name, payload = self.inbox.get(timeout=PATIENCE_S)
            if name.endswith(f"/{channel}"):
                return payload

    def close(self) -> None:
        """Disconnects."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, *_ignored: Any) -> None:
        names = [topic(self._name, channel) for channel in DOWN]
        self._client.subscribe([(name, SubscribeOptions(qos=1)) for name in names])

    def _subscribed(self, *_ignored: Any) -> None:
        self._ready.set()

    def _received(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.inbox.put((message.topic, bytes(message.payload)))


@contextmanager
def node_client(broker: Broker, name: str) -> Iterator[NodeClient]:
    """Connected within the block."""
    client = NodeClient(broker, name)
    try:
        yield client
    finally:
        client.close()
