"""A controller in a few lines: takes rows over real MQTT, keeps them in memory, acks them."""

import threading
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from shared.messages.ack import Ack, AckedRange
from shared.messages.birth import Birth
from shared.messages.event import EventBatch
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch
from shared.messages.topics import UP, Channel, parse_topic, topic
from shared.ranges import RangeSet
from tests.agents import PATIENCE_S
from tests.brokers import CONTROLLER, HOST, Broker
from tests.mqtt_client import send_at_once


class FakeController:
    """Commits what it understands and acks it, while `acks` is set."""

    def __init__(self, broker: Broker, *, takes_births: bool = True) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._client: Client | None = None
        self.acks = True
        self.takes_births = takes_births
        self.rows: dict[tuple[int, int], bytes] = {}
        self.deliveries: dict[tuple[int, int], int] = {}
        self.historical: dict[int, bool] = {}
        self.births: dict[int, Birth] = {}
        self.birth_messages: list[tuple[int, bool]] = []
        self.asked: list[int] = []
        self.states: list[State] = []
        self.ready = threading.Event()

    def start(self) -> None:
        """Connects, again whenever the broker comes back."""
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=CONTROLLER,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.tls_set_context(self._broker.client_context(CONTROLLER))
        client.reconnect_delay_set(1, 1)
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self.ready.set()
        client.on_message = self._on_message
        client.connect_async(HOST, self._broker.port)
        client.loop_start()
        self._client = client
        if not self.ready.wait(PATIENCE_S):
            raise TimeoutError("the controller could not subscribe")

    def stop(self) -> None:
        """Goes away."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def send(self, node: str, channel: Channel, payload: bytes) -> None:
        """Publishes to a node."""
        assert self._client is not None
        self._client.publish(topic(node, channel), payload, qos=1)

    def committed(self, stream: int) -> set[int]:
        """The numbers it has of a stream."""
        with self._lock:
            return {seq for row_stream, seq in self.rows if row_stream == stream}

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe([(f"bes/1/+/{channel}", 1) for channel in UP])

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        where = parse_topic(message.topic)
        payload = bytes(message.payload)
        with self._lock:
            match where.channel:
                case Channel.STATE:
                    self.states.append(State.decode(payload))
                case Channel.BIRTH:
                    birth = Birth.decode(payload)
                    self.birth_messages.append((birth.number, message.retain))
                    if self.takes_births or birth.number in self.asked:
                        self.births[birth.number] = birth
                case Channel.TELEMETRY:
                    ack = self._telemetry(TelemetryBatch.decode(payload))
                    self._answer(where.node, ack)
                case _:
                    events = EventBatch.decode(payload)
                    rows = {row.seq: row.body for row in events.rows}
                    self._answer(where.node, self._commit(events.stream, rows))

    def _telemetry(self, batch: TelemetryBatch) -> Ack:
        if batch.birth not in self.births:
            self.asked.append(batch.birth)
            return Ack(births_wanted=(batch.birth,))
        for row in batch.rows:
            self.historical.setdefault(row.seq, batch.historical)
        return self._commit(batch.stream, {row.seq: row.body for row in batch.rows})

    def _commit(self, stream: int, rows: dict[int, bytes]) -> Ack:
        for seq, body in rows.items():
            key = (stream, seq)
            assert self.rows.setdefault(key, body) == body, "one identity, two bodies"
            self.deliveries[key] = self.deliveries.get(key, 0) + 1
        spans = RangeSet.of_numbers(rows).spans
        return Ack(tuple(AckedRange(stream, first, last) for first, last in spans))

    def _answer(self, node: str, ack: Ack) -> None:
        if self.acks and self._client is not None:
            self._client.publish(topic(node, Channel.ACK), ack.encode(), qos=1)
