"""The MQTT 5 broker: one connection a process, for what comes and what goes.

A client lives as long as its connection: what the broker had not confirmed when it died is sent
again from the outbox, never from a queue in memory. Messages that come are confirmed to the broker
when they are dealt with, so that its receive maximum bounds what waits here.
"""

import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from controller.config import BrokerConfig
from controller.ingest.inbox import Received
from controller.metrics import ControllerMetrics
from controller.pauses import pause_after
from shared.messages.topics import PREFIX

CONTROL_RESPONSE = "$CONTROL/dynamic-security/v1/response"
"""Where mosquitto's dynamic-security plug-in answers the controller."""
_CONNECT_DEADLINE_S = 20.0
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_NO_SUBSCRIBERS = 0x10
_log = structlog.get_logger()


def subscriptions(group: str) -> tuple[str, ...]:
    """What a controller listens to; replicas that name the same group share what comes.

    mosquitto asks the access rules about a shared subscription only when it delivers: whoever knew
    the group's name could join it, be handed every second message and have it dropped, while the
    node is told that it was taken. So the name is a secret.
    """
    return (
        f"{PREFIX}/+/birth",
        f"{PREFIX}/+/state",
        f"$share/{group}/{PREFIX}/+/telemetry",
        f"$share/{group}/{PREFIX}/+/event",
    )


class Fate(Enum):
    """What became of a message that was published."""

    TAKEN = "taken"
    NOBODY = "nobody listens"
    LOST = "connection lost or refused"


class Publication:
    """A message on its way; `wait` tells its fate."""

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._fate = Fate.LOST

    def settle(self, fate: Fate) -> None:
        """Called once, by the connection."""
        self._fate = fate
        self._settled.set()

    def wait(self, seconds: float) -> Fate:
        """The fate; LOST when the broker says nothing in time."""
        return self._fate if self._settled.wait(max(0.0, seconds)) else Fate.LOST


class Broker:
    """Keeps a connection up from `start` to `stop`. Callbacks come from a network thread."""

    def __init__(
        self,
        config: BrokerConfig,
        metrics: ControllerMetrics,
        on_message: Callable[[Received], None] | None,
        on_connected: Callable[[], None],
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_control: Callable[[bytes], None] | None = None
        self._tls = _tls_context(config)
        self._client_id = f"{config.client_id}-{uuid.uuid4().hex[:12]}"
        self._group = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._client: mqtt.Client | None = None
        self._generation = 0
        self._waiting: dict[int, Publication] = {}
        self._early: dict[int, Fate] = {}
        self._up = threading.Event()
        self._down = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_connected, name="broker", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether messages come and go now."""
        return self._up.is_set()

    def listen_to_control(self, on_control: Callable[[bytes], None]) -> None:
        """Hands over the broker's answers to orders about itself; call it before `start`."""
        self._on_control = on_control

    def share_as(self, group: str) -> None:
        """The secret name under which replicas share what comes; call it before `start`. Without it
        this one shares with nobody."""
        self._group = group

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnects in good order."""
        self._stopping.set()
        self._down.set()
        self._thread.join()

    def confirm(self, token: int) -> None:
        """Tells the broker that a message is dealt with; nothing if its connection has died."""
        generation, mid = divmod(token, 1 << 16)
        with self._lock:
            client = self._client if generation == self._generation else None
        if client is not None and mid:
            client.ack(mid, 1)

    def publish(self, topic: str, payload: bytes) -> Publication:
        """Sends at QoS 1.

        The lock is not held while paho sends: paho calls `_published` with a lock of its own held,
        which `publish` takes too. So the broker's word may come before the number is known here.
        """
        publication = Publication()
        with self._lock:
            client = self._client if self._up.is_set() else None
        if client is None:
            publication.settle(Fate.LOST)
            return publication
        info = client.publish(topic, payload, qos=1)
        with self._lock:
            early = self._early.pop(info.mid, None)
            alive = client is self._client and info.rc == mqtt.MQTT_ERR_SUCCESS
            if early is None and alive:
                self._waiting[info.mid] = publication
            else:
                publication.settle(Fate.LOST if early is None else early)
        return publication

    def _keep_connected(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            failures = 0 if self._one_connection() else failures + 1
            self._stopping.wait(pause_after(failures, _BACKOFF_S))

    def _one_connection(self) -> bool:
        """Connects, stays until the connection ends; whether it came up at all."""
        self._down.clear()
        with self._lock:
            self._generation += 1
            client = self._client = self._new_client()
        came_up = False
        try:
            client.connect(
                self._config.host,
                self._config.port,
                keepalive=self._config.keepalive_s,
                clean_start=True,
                properties=self._connect_properties(),
            )
            client.loop_start()
            came_up = self._up.wait(_CONNECT_DEADLINE_S)
            if came_up:
                self._on_connected()
                self._down.wait()
        except (OSError, ValueError) as error:
            _log.warning("cannot reach the broker", error=str(error)[:200])
        finally:
            self._end(client)
        return came_up

    def _end(self, client: mqtt.Client) -> None:
        self._up.clear()
        self._metrics.broker_connected.set(0)
        client.disconnect()
        client.loop_stop()
        with self._lock:
            self._client = None
            lost, self._waiting = self._waiting, {}
            self._early.clear()
        for publication in lost.values():
            publication.settle(Fate.LOST)

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho types it not
        properties.ReceiveMaximum = self._config.receive_maximum
        properties.SessionExpiryInterval = 0
        return properties

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5,
            userdata=self._generation,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.tls_set_context(self._tls)
        client.max_inflight_messages_set(1_000)
        client.max_queued_messages_set(10_000)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_publish = self._published
        return client

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            _log.error("the broker refuses the connection", reason=str(reason))
            self._down.set()
            return
        if self._on_message is None:
            self._ready()
            return
        control = () if self._on_control is None else (CONTROL_RESPONSE,)
        wanted = (*subscriptions(self._group), *control)
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in wanted])

    def _subscribed(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            _log.error("the broker refuses a subscription", reasons=[str(r) for r in reasons])
            self._down.set()
            return
        self._ready()

    def _ready(self) -> None:
        _log.info("connected to the broker", client_id=self._client_id)
        self._metrics.broker_connected.set(1)
        self._up.set()

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any
    ) -> None:
        if not self._stopping.is_set():
            _log.warning("the connection to the broker ended", reason=str(reason))
        self._up.clear()
        self._down.set()

    def _received(self, _client: mqtt.Client, generation: int, message: mqtt.MQTTMessage) -> None:
        if message.topic == CONTROL_RESPONSE:
            if self._on_control is not None:
                self._on_control(bytes(message.payload))
        elif self._on_message is not None:
            token = (generation << 16) | (message.mid if message.qos else 0)
            self._on_message(Received(message.topic, bytes(message.payload), token))

    def _published(
        self, _client: mqtt.Client, _data: Any, mid: int, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            _log.warning("the broker refuses a message", reason=str(reason))
            fate = Fate.LOST
        else:
            fate = Fate.NOBODY if reason.value == _NO_SUBSCRIBERS else Fate.TAKEN
        with self._lock:
            publication = self._waiting.pop(mid, None)
            if publication is None:
                self._early[mid] = fate
        if publication is not None:
            publication.settle(fate)


def _tls_context(config: BrokerConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(config.ca_file)
    context.load_cert_chain(config.certificate_file, config.key_file)
    return context


def _send_at_once(_client: mqtt.Client, _data: Any, connection: Any) -> None:
    """Without it small messages wait for the peer's delayed TCP acknowledgement."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
