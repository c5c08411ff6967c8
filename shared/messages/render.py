"""Messages as JSON for a person's eyes. Pure: births come in as values, nothing is remembered.

Aliases are resolved where the birth that the batch names is known; otherwise rows keep their
numbers. A command's signature is not checked here and the result says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from shared.errors import BadInputError
from shared.measured import Scalar, Unknown
from shared.messages.ack import Ack
from shared.messages.birth import Birth
from shared.messages.command import Command, unproven_payload
from shared.messages.event import Event, EventBatch, EventRow
from shared.messages.state import State
from shared.messages.telemetry import TelemetryBatch, TelemetryRow, decode_body
from shared.messages.topics import Channel, parse_topic
from shared.time import from_ms

Births = Mapping[tuple[str, int], Birth]
"""Births by node and number."""

Json = dict[str, Any]


def render(topic_text: str, payload: bytes, births: Births) -> Json:
    """One message as plain JSON data: `node`, `channel`, and what the channel carries.

    Raises `BadInputError` when the topic or the payload is not of the wire. An empty payload (a
    retained message that was cleared) gives `cleared`.
    """
    topic = parse_topic(topic_text)
    head: Json = {"node": topic.node, "channel": topic.channel.value}
    if not payload:
        return head | {"cleared": True}
    match topic.channel:
        case Channel.STATE:
            return head | _state(State.decode(payload))
        case Channel.BIRTH:
            return {**head, **plain(asdict(Birth.decode(payload)))}
        case Channel.TELEMETRY:
            return head | _telemetry(TelemetryBatch.decode(payload), topic.node, births)
        case Channel.EVENT:
            return head | _events(EventBatch.decode(payload))
        case Channel.ACK:
            return {**head, **plain(asdict(Ack.decode(payload)))}
        case Channel.COMMAND:
            return head | _command(Command.decode(unproven_payload(payload)))


def plain(value: Any) -> Any:
    """The nearest JSON data: bytes as hex, keys as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _time(time_ms: int) -> str:
    """ISO 8601 where the calendar reaches, the number as text beyond it."""
    try:
        return from_ms(time_ms).isoformat(timespec="milliseconds")
    except BadInputError:
        return str(time_ms)


def _state(state: State) -> Json:
    return {**asdict(state), "time": _time(state.time_ms)}


def _telemetry(batch: TelemetryBatch, node: str, births: Births) -> Json:
    birth = births.get((node, batch.birth))
    names = _names(birth)
    return {
        "stream": batch.stream,
        "birth": batch.birth,
        "birth_known": birth is not None,
        "historical": batch.historical,
        "rows": [_telemetry_row(row, names) for row in batch.rows],
    }


@dataclass(frozen=True, slots=True)
class _Names:
    devices: Mapping[int, str]
    metrics: Mapping[int, str]


def _names(birth: Birth | None) -> _Names:
    if birth is None:
        return _Names({}, {})
    return _Names(
        {device.alias: device.name for device in birth.devices},
        {metric.alias: metric.name for metric in birth.metrics},
    )


def _telemetry_row(row: TelemetryRow, names: _Names) -> Json:
    head: Json = {
        "seq": row.seq,
        "time": _time(row.time_ms),
        "device": names.devices.get(row.device, row.device),
    }
    try:
        values = decode_body(row.body)
    except BadInputError as error:
        return head | {"malformed": str(error)}
    named = {names.metrics.get(alias, str(alias)): _value(v) for alias, v in values.items()}
    return head | {"values": named}


def _value(value: Scalar | Unknown) -> Scalar | Json:
    if isinstance(value, Unknown):
        return {"unknown": value.reason.name.lower()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _events(batch: EventBatch) -> Json:
    return {"stream": batch.stream, "rows": [_event_row(row) for row in batch.rows]}


def _event_row(row: EventRow) -> Json:
    head: Json = {"seq": row.seq, "time": _time(row.time_ms)}
    try:
        event = Event.decode(row.body)
    except BadInputError as error:
        return head | {"malformed": str(error)}
    return head | {
        "kind": event.kind.value,
        "severity": event.severity.value,
        "device": event.device,
        "data": plain(event.data),
    }


def _command(command: Command) -> Json:
    return {
        "signature": "not checked",
        "id": command.id,
        "stream": command.stream,
        "seq": command.seq,
        "actor": command.actor,
        "meant_for": command.node,
        "issued_at": _time(command.issued_at_ms),
        "not_before": _time(command.not_before_ms),
        "expires_at": _time(command.expires_at_ms),
        "action": command.action.name,
        "params": plain(command.action.to_params()),
        "precondition": [plain(condition.to_row()) for condition in command.precondition],
    }
