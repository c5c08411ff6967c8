"""One MQTT 5 connection over TLS 1.3: paho on a thread of its own behind asyncio.

A link is used once. paho would send again by itself what an old connection had not delivered; what
is sent again is the plan's decision, so every connection is a new client that knows nothing.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import BadInputError
from shared.host.tls import client_context
from shared.messages.cbor import MAX_PAYLOAD
from shared.messages.topics import Channel, parse_topic, topic

log = structlog.get_logger(__name__)

_RECEIVE_MAXIMUM = 64
_FRAME_OVERHEAD = 1_024
_MOST_UNACKED = 40
_MOST_QUEUED = 200
_NO_MATCHING_SUBSCRIBERS = 0x10
"""PUBACK reason of MQTT 5, section 3.4.2.1."""


class LinkError(ConnectionError):
    """The connection could not be made or is gone."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are to it; files are read anew for each connection."""

    host: str
    port: int
    ca_file: Path
    certificate_file: Path
    key_file: Path
    keepalive_s: int = 20
    timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that came down; to be passed to `acknowledge` when it is dealt with."""

    channel: Channel
    payload: bytes
    mid: int


def tls_context(address: BrokerAddress) -> ssl.SSLContext:
    """TLS 1.3 or nothing, the broker's name checked. `LinkError` when a file does not serve."""
    try:
        context = client_context(address.ca_file)
        context.load_cert_chain(address.certificate_file, address.key_file)
    except (OSError, ssl.SSLError) as error:
        raise LinkError(f"TLS files: {error}") from error
    return context


class Link:
    """A connection that stands, from `connect` until `closed` is done."""

    def __init__(self, node: str, address: BrokerAddress, will: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._address = address
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._unacked: set[int] = set()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Done, with the reason, when the connection is gone."""
        self.incoming: asyncio.Queue[Incoming] = asyncio.Queue(2 * _RECEIVE_MAXIMUM)
        self.on_taken: Callable[[int, bool], None] = lambda _number, _listened: None
        """Called on the event loop for each message that the broker has taken: its number, and
        False when the broker knows of nobody who gets it."""
        self._client = self._new_client(will)

    @classmethod
    async def connect(cls, node: str, address: BrokerAddress, will: bytes) -> "Link":
        """Connects as `node` and subscribes to its `ack` and `command`; `LinkError` if that fails.

        `will` is the retained `state` that the broker publishes when the connection breaks.
        """
        link = cls(node, address, will)
        try:
            async with asyncio.timeout(address.timeout_s):
                # A daemon: a name server or broker that hangs must not hold up the process's end.
                threading.Thread(target=link._open, name="agent-uplink-open", daemon=True).start()
                await link._opened
                await link._ready
        except TimeoutError as error:
            link.abort("no answer from the broker")
            raise LinkError("no answer from the broker in time") from error
        except LinkError as error:
            link.abort(str(error))
            raise
        except asyncio.CancelledError:
            link.abort("cancelled")
            raise
        return link

    def publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> int:
        """Hands over a message at QoS 1 and returns its number on this connection.

        `LinkError` when the connection cannot take it.
        """
        if self.closed.done():
            raise LinkError(self.closed.result())
        if len(payload) > MAX_PAYLOAD:
            raise BadInputError("payload", f"{len(payload)} bytes", f"at most {MAX_PAYLOAD}")
        info: MQTTMessageInfo = self._client.publish(
            topic(self._node, channel), payload, qos=1, retain=retain
        )
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkError(f"not taken: {info.rc.name}")
        self._unacked.add(info.mid)
        self._flushed.clear()
        return info.mid

    def acknowledge(self, message: Incoming) -> None:
        """Tells the broker that a message is dealt with, so that it may send another."""
        if not self.closed.done():
            self._client.ack(message.mid, 1)

    async def flush(self, timeout_s: float) -> bool:
        """Waits until the broker has taken all that was published; False if not in time."""
        flushed = asyncio.ensure_future(self._flushed.wait())
        waits: list[asyncio.Future[Any]] = [flushed, self.closed]
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        flushed.cancel()
        return flushed in done

    async def close(self) -> None:
        """Says goodbye, which keeps the broker from publishing the will."""
        self._client.disconnect()
        done, _ = await asyncio.wait([self.closed], timeout=2.0)
        if not done:
            self.abort("closed")

    def abort(self, reason: str) -> None:
        """Cuts the connection, at once or as soon as it stands; the broker publishes the will."""
        self._close_with(reason)
        # A second descriptor: paho's own socket object belongs to paho's thread.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            descriptor = os.dup(self._client.socket().fileno())  # type: ignore[union-attr]
            with socket.socket(fileno=descriptor) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)

    def _new_client(self, will: bytes) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._node,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = self._address.timeout_s
        client.max_inflight_messages = _MOST_UNACKED
        client.max_queued_messages = _MOST_QUEUED
        client.will_set(topic(self._node, Channel.STATE), will, qos=1, retain=True)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _open(self) -> None:
        """On a thread of its own: blocks while it connects."""
        try:
            self._client.tls_set_context(tls_context(self._address))
            self._client.connect(
                self._address.host,
                self._address.port,
                self._address.keepalive_s,
                clean_start=True,
                properties=_connect_properties(),
            )
        except (OSError, ValueError) as error:
            self._call(_fail, self._opened, LinkError(str(error)))
            return
        self._client.loop_start()
        self._call(self._has_opened)

    # On paho's thread: these only hand over to the event loop.

    def _on_connect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            self._call(self._close_with, f"refused: {reason}")
            return
        client.subscribe([(topic(self._node, c), 1) for c in (Channel.ACK, Channel.COMMAND)])

    def _on_subscribe(
        self, client: Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._call(self._close_with, f"subscription refused: {refused[0]}")
        else:
            self._call(self._became_ready)

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._call(self._close_with, f"disconnected: {reason}")

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any
    ) -> None:
        self._call(self._delivered, mid, reason)

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        self._call(self._arrived, message.topic, bytes(message.payload), message.mid)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    # On the event loop.

    def _has_opened(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)
        if self.closed.done():  # given up while it connected
            self.abort(self.closed.result())

    def _became_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _close_with(self, reason: str) -> None:
        _fail(self._ready, LinkError(reason))
        if not self.closed.done():
            self.closed.set_result(reason)

    def _delivered(self, mid: int, reason: ReasonCode) -> None:
        if reason.is_failure:
            log.warning("the broker did not take a message", reason=str(reason))
        self._unacked.discard(mid)
        if not self._unacked:
            self._flushed.set()
        self.on_taken(mid, reason.value != _NO_MATCHING_SUBSCRIBERS)

    def _arrived(self, topic_text: str, payload: bytes, mid: int) -> None:
        try:
            channel = parse_topic(topic_text).channel
            self.incoming.put_nowait(Incoming(channel, payload, mid))
        except BadInputError as error:
            log.warning("a message on a topic that is none of ours", error=str(error))
        except asyncio.QueueFull:
            self.abort("the broker sends more than it was allowed to")


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = 0
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    properties.MaximumPacketSize = MAX_PAYLOAD + _FRAME_OVERHEAD
    return properties


def _fail(future: asyncio.Future[None], error: LinkError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen, even where nobody awaits it any more


def _no_delay(client: Client, userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
