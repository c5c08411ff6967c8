"""A guarded broker, its log followed as the controller follows it, a node that is at work, and what
an attacker has."""

import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from sqlalchemy import Row, select

from controller.detection.broker_watch import BrokerWatch
from controller.detection.kinds import SecurityKind
from controller.storage.engine import Storage
from controller.storage.tables import audit_leaves, security_events
from provisioning.authority import Credentials
from shared.messages.topics import Channel, topic
from tests.brokers import CONTROLLER, HOST, Broker, running_broker
from tests.mqtt_client import NodeClient, node_client
from tests.nodes import StillClock
from tests.waiting import wait_for

VICTIM = "site-a-01"
ATTACKER = "site-b-01"
PATIENCE_S = 30.0


@dataclass(slots=True)
class Client:
    """An MQTT client with any certificate, that says what became of it."""

    client: mqtt.Client
    connected: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    received: list[tuple[str, bytes]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    published: threading.Event = field(default_factory=threading.Event)
    subscribed: threading.Event = field(default_factory=threading.Event)

    def publish(self, name: str, payload: bytes, *, qos: int = 1) -> list[str]:
        """Publishes and waits for the broker's word; the reasons it gave."""
        self.published.clear()
        self.client.publish(name, payload, qos=qos)
        assert self.published.wait(PATIENCE_S)
        return self.reasons

    def subscribe(self, *names: str) -> None:
        """Subscribes and waits for the broker's word."""
        self.subscribed.clear()
        self.client.subscribe([(name, SubscribeOptions(qos=1)) for name in names])
        assert self.subscribed.wait(PATIENCE_S)

    def close(self) -> None:
        """Ends it."""
        self.client.disconnect()
        self.client.loop_stop()


def connect(
    broker: Broker,
    credentials: Credentials,
    client_id: str,
    *,
    will: str | None = None,
    session_s: int = 0,
) -> Client:
    """Tries to connect; look at `connected` and `ended`. `session_s` is how long the broker keeps
    the session once it is gone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(broker.ca_file)
    context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
    )
    client.tls_set_context(context)
    if will is not None:
        client.will_set(will, b"gone", 1, retain=True)
    made = Client(client)

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        (made.ended if reason.is_failure else made.connected).set()

    def on_publish(_client: Any, _data: Any, _mid: Any, reason: Any, _props: Any) -> None:
        made.reasons.append(str(reason))
        made.published.set()

    client.on_connect = on_connect
    client.on_publish = on_publish
    client.on_disconnect = lambda *_: made.ended.set()
    client.on_subscribe = lambda *_: made.subscribed.set()
    client.on_message = lambda _c, _d, m: made.received.append((m.topic, bytes(m.payload)))
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho types it not
    kept.SessionExpiryInterval = session_s
    try:
        client.connect(HOST, broker.port, properties=kept)
    except OSError:
        made.ended.set()
    client.loop_start()
    return made


@dataclass(frozen=True, slots=True)
class Watched:
    """The broker, the database its refusals are written to, and who follows its log."""

    broker: Broker
    storage: Storage
    watch: BrokerWatch

    def events(self, kind: SecurityKind) -> list[Row[Any]]:
        """The security events of a kind, once the log has been read to its end."""
        while self.watch.round():
            pass
        with self.storage.read() as conn:
            query = select(security_events).where(security_events.c.kind == kind.value)
            return list(conn.execute(query.order_by(security_events.c.id)))

    def recorded(self, kind: SecurityKind, subject: str | None = None) -> Row[Any]:
        """Waits for an event of a kind (about the subject); it has its audit leaf."""
        found: list[Row[Any]] = []

        def look() -> bool:
            found[:] = [
                row for row in self.events(kind) if subject is None or row.subject == subject
            ]
            return bool(found)

        wait_for(look, f"a security event {kind} of {subject}", PATIENCE_S)
        with self.storage.read() as conn:
            query = select(audit_leaves.c.subject).where(audit_leaves.c.kind == "security.event")
            assert found[-1].subject in set(conn.scalars(query))
        return found[-1]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The product's configuration, as `bes provision broker` makes it."""
    with running_broker(tmp_path_factory.mktemp("guarded"), guarded=True) as guarded:
        yield guarded


@pytest.fixture
def watched(broker: Broker, sqlite_template: Path, tmp_path: Path) -> Iterator[Watched]:
    """What is in the log already is passed over."""
    path = tmp_path / "controller.db"
    path.write_bytes(sqlite_template.read_bytes())
    storage = Storage(f"sqlite:///{path}")
    clock = StillClock()
    watch = BrokerWatch(storage, clock, broker.log_file, frozenset({CONTROLLER, "tap"}))
    while watch.round():
        pass
    with storage.write() as conn:
        conn.execute(security_events.delete())
        conn.execute(audit_leaves.delete())
    yield Watched(broker, storage, watch)
    storage.close()


@pytest.fixture
def victim(broker: Broker) -> Iterator[NodeClient]:
    """A node at work."""
    with node_client(broker, VICTIM) as client:
        yield client


class Honest:
    """The controller's ear, and whether the victim still gets through to it."""

    def __init__(self, client: Client, victim: NodeClient) -> None:
        self._client, self._victim = client, victim
        self._counter = 0

    @property
    def heard(self) -> list[tuple[str, bytes]]:
        """What came up."""
        return self._client.received

    def goes_on(self) -> None:
        """The victim's next message comes, and nothing else has come before it."""
        before = len(self.heard)
        self._counter += 1
        payload = f"honest {self._counter}".encode()
        self._victim.publish(topic(VICTIM, Channel.TELEMETRY), payload)
        deadline = time.monotonic() + PATIENCE_S
        while len(self.heard) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.heard[before:] == [(topic(VICTIM, Channel.TELEMETRY), payload)]

    def tell(self, payload: bytes) -> None:
        """Sends the victim something down; it comes."""
        self._client.publish(topic(VICTIM, Channel.COMMAND), payload)
        assert self._victim.next("command") == payload

    def tell_other(self, name: str, payload: bytes) -> None:
        """Sends another node something down."""
        self._client.publish(name, payload)


@pytest.fixture
def honest(broker: Broker, victim: NodeClient) -> Iterator[Honest]:
    """The controller listens to every node."""
    client = connect(broker, broker.credentials(CONTROLLER), CONTROLLER)
    assert client.connected.wait(PATIENCE_S)
    client.subscribe("bes/1/+/telemetry", "bes/1/+/state", "bes/1/+/birth", "bes/1/+/event")
    yield Honest(client, victim)
    client.close()
