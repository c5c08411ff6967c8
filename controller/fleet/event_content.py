"""What an event says, with what its kind adds. Pure.

An event that cannot be read is kept all the same, since a node deletes what is acked and sends
what is not for ever: as a row of the kind `MALFORMED` with the bytes as they came.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.event import Event, EventKind
from shared.messages.gap import Gap
from shared.messages.reply import Reply


class RowKind(StrEnum):
    """The kind of a row of events: those of `EventKind`, which nodes send, and `MALFORMED`."""

    AGENT = EventKind.AGENT
    ALARM = EventKind.ALARM
    DECISION = EventKind.DECISION
    DEVICE = EventKind.DEVICE
    LOCKOUT = EventKind.LOCKOUT
    WRITE = EventKind.WRITE
    GAP = EventKind.GAP
    REPLY = EventKind.REPLY
    MALFORMED = "malformed"
    """The body is no event, or one that this deployment cannot act on."""


@dataclass(frozen=True, slots=True)
class EventContent:
    """An event; `code` of an alarm, `reply` and `gap` where it is one.

    `gap_problem` says why the aggregates of a gap report cannot be read: it still says which rows
    are gone, and has no buckets then.
    """

    event: Event
    code: str | None = None
    reply: Reply | None = None
    gap: Gap | None = None
    gap_problem: str | None = None


def _alarm_code(event: Event) -> str:
    """The code of an alarm event; `BadInputError` when its data is not that of an alarm."""
    cbor.expect_bool(cbor.take(event.data, "raised"), "data.raised")
    if not isinstance(event.data.get("text", ""), str):
        raise BadInputError("data.text", repr(event.data["text"])[:40], "text")
    return cbor.expect_text(cbor.take(event.data, "code"), "data.code", 80)


def read_content(body: bytes) -> EventContent:
    """The content of an event row's body; `BadInputError` when it is malformed."""
    event = Event.decode(body)
    match event.kind:
        case EventKind.ALARM:
            return EventContent(event, code=_alarm_code(event))
        case EventKind.REPLY:
            return EventContent(event, reply=Reply.from_data(event.data))
        case EventKind.GAP:
            return _gap(event)
        case _:
            return EventContent(event)


def _gap(event: Event) -> EventContent:
    try:
        return EventContent(event, gap=Gap.from_data(event.data))
    except BadInputError as error:
        head = Gap.from_data({**event.data, "buckets": []})
        return EventContent(event, gap=head, gap_problem=str(error))


def why_malformed(body: bytes) -> str:
    """What is wrong with a body that was kept as malformed."""
    try:
        read_content(body)
    except BadInputError as error:
        return str(error)
    return "it can be read, but names what this deployment does not know or cannot store"
