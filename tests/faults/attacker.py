"""Somebody with the broker's rights who sends what must never act."""

import itertools
import random
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion

from shared.messages.actions import SetSetpoint
from shared.messages.command import Command, sign
from shared.messages.topics import Channel, topic
from shared.setpoints import PowerLimit

FIRST_POWER_W = 3_001
"""Attacks ask for this power limit and above, one value each; honest commands stay below."""

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the attacker attacks, and what he has seen."""

    node: str
    stream: int
    device: str
    now_ms: int
    accepted_seq: int


class Forger:
    """Makes one message of every kind that must be refused, each with a power of its own."""

    def __init__(self, seed: int, key: Ed25519PrivateKey, key_id: bytes) -> None:
        self._source = random.Random(seed)
        self._key = key
        self._key_id = key_id
        self._powers = itertools.count(FIRST_POWER_W)

    def messages(self, target: Target) -> Iterator[tuple[str, bytes]]:
        """(what is wrong with it, message) of each kind."""
        next_seq = target.accepted_seq + self._source.randint(1, 3)
        yield "unsigned", self._command(target, next_seq).encode()
        foreign = Ed25519PrivateKey.generate()
        yield "foreign key", sign(self._command(target, next_seq), foreign, self._key_id)
        yield "tampered", self._tampered(target, next_seq)
        yield (
            "expired",
            self._signed(
                replace(
                    self._command(target, next_seq),
                    issued_at_ms=target.now_ms - 200 * 24 * _HOUR_MS,
                    not_before_ms=target.now_ms - 200 * 24 * _HOUR_MS,
                    expires_at_ms=target.now_ms - 199 * 24 * _HOUR_MS,
                )
            ),
        )
        yield "other node", self._signed(replace(self._command(target, next_seq), node="site-b-01"))
        yield (
            "other stream",
            self._signed(replace(self._command(target, next_seq), stream=target.stream ^ 1)),
        )
        if target.accepted_seq:
            old = self._source.randint(1, target.accepted_seq)
            yield "old number", self._signed(self._command(target, old))

    def _command(self, target: Target, seq: int) -> Command:
        power_w = next(self._powers)
        return Command(
            id=f"attack-{power_w}",
            node=target.node,
            stream=target.stream,
            seq=seq,
            actor="attacker",
            issued_at_ms=target.now_ms,
            not_before_ms=target.now_ms,
            expires_at_ms=target.now_ms + _HOUR_MS,
            action=SetSetpoint(target.device, PowerLimit(power_w)),
        )

    def _signed(self, command: Command) -> bytes:
        return sign(command, self._key, self._key_id)

    def _tampered(self, target: Target, seq: int) -> bytes:
        """A good signature over an honest-looking order, moved under another order's payload."""
        good, wanted = self._command(target, seq), self._command(target, seq)
        return self._signed(good).replace(good.encode(), wanted.encode())


class Attacker:
    """Publishes as the controller does, with the controller's own certificate."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._host, self._port, self._context = host, port, context

    def send(self, node: str, payload: bytes) -> bool:
        """Publishes one command message; False when the broker could not be reached in time."""
        published = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.tls_set_context(self._context)
        client.on_connect = lambda c, *_: c.publish(topic(node, Channel.COMMAND), payload, qos=1)
        client.on_publish = lambda *_: published.set()
        try:
            client.connect(self._host, self._port)
        except OSError:
            return False
        client.loop_start()
        try:
            return published.wait(3.0)
        finally:
            client.disconnect()
            client.loop_stop()
