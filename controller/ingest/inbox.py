"""Messages as they come from the broker, read and checked. Pure."""

from dataclasses import dataclass

from controller.ingest.salvage import UnreadableRow, salvage_events, salvage_telemetry
from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.birth import Birth
from shared.messages.event import EventBatch
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch, decode_body
from shared.messages.topics import UP, Channel, parse_topic

_PLAIN = {int, float, str, bool}
_SALVAGED = {Channel.TELEMETRY: salvage_telemetry, Channel.EVENT: salvage_events}

Content = TelemetryBatch | EventBatch | Birth | State


@dataclass(frozen=True, slots=True)
class Received:
    """One message; `token` is the adapter's, to confirm it to the broker with."""

    topic: str
    payload: bytes
    token: int = 0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that can be read, of a batch all rows but `unreadable`. The node of the topic is
    the sender: the broker sees to that."""

    node: str
    channel: Channel
    content: Content
    payload: bytes
    unreadable: tuple[UnreadableRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not taken; `node` None when even the topic is wrong."""

    node: str | None
    channel: str
    field: str
    text: str


def read_message(received: Received) -> Incoming | Refused:
    """The message, or why it is refused."""
    try:
        topic = parse_topic(received.topic)
    except BadInputError as error:
        return Refused(None, "none", error.field, str(error))
    if topic.channel not in UP:
        return Refused(topic.node, topic.channel, "topic.channel", "a channel that goes down")
    try:
        return _read(topic.node, topic.channel, received.payload)
    except BadInputError as error:
        return Refused(topic.node, topic.channel, error.field, str(error))


def _read(node: str, channel: Channel, payload: bytes) -> Incoming:
    try:
        return Incoming(node, channel, _decode(channel, payload), payload)
    except BadInputError:
        if channel not in _SALVAGED:
            raise
        salvaged = _SALVAGED[channel](payload)
        return Incoming(node, channel, salvaged.batch, payload, salvaged.unreadable)


def _decode(channel: Channel, payload: bytes) -> Content:
    if channel is Channel.TELEMETRY:
        batch = TelemetryBatch.decode(payload)
        for row in batch.rows:
            _check_body(row.body)
        return batch
    if channel is Channel.EVENT:
        return EventBatch.decode(payload)
    if channel is Channel.BIRTH:
        return Birth.decode(payload)
    return State.decode(payload)


def _check_body(body: bytes) -> None:
    """As `decode_body` checks it, several times as fast where nothing is unknown."""
    parts = cbor.decode(body, "body")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict) and parts[0]:
        aliases, values = set(map(type, parts[0])), set(map(type, parts[0].values()))
        if aliases == {int} and values <= _PLAIN and min(parts[0]) >= 0:
            return
    decode_body(body)
