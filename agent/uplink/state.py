"""What the plan of sending rests on: lanes, batches, settings. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from shared.ranges import RangeSet


class Stream(StrEnum):
    """The streams, the more urgent first."""

    EVENT = "event"
    TELEMETRY = "telemetry"


class Lane(StrEnum):
    """Where a number waits: accepted on this connection and still fresh, or late."""

    LIVE = "live"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Bounds; times are real seconds.

    `resend_after_s` is how long a batch waits for its ack once the broker has taken it; it doubles,
    at most twice, while no ack comes at all, and is four times as long while acks of other
    batches come. Live telemetry gathers for `linger_s`; what has
    waited `late_after_s` turns history. A link on which nothing was heard for `silent_after_s`
    while the broker should take a batch is given up. While nobody listens behind the broker, one
    batch every `resend_after_s` tries whether somebody does again.
    """

    batch_rows: Mapping[Stream, int] = field(
        default_factory=lambda: MappingProxyType({Stream.EVENT: 200, Stream.TELEMETRY: 500})
    )
    window: Mapping[Stream, int] = field(
        default_factory=lambda: MappingProxyType({Stream.EVENT: 4, Stream.TELEMETRY: 8})
    )
    linger_s: Mapping[Stream, float] = field(
        default_factory=lambda: MappingProxyType({Stream.EVENT: 0.0, Stream.TELEMETRY: 0.25})
    )
    resend_after_s: float = 15.0
    late_after_s: float = 30.0
    silent_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stream's numbers that are in no batch. `last` is the last one accepted."""

    id: int
    last: int = 0
    live: RangeSet = field(default_factory=RangeSet)
    live_since_s: float = 0.0
    history: RangeSet = field(default_factory=RangeSet)


@dataclass(frozen=True, slots=True)
class Batch:
    """Numbers that are being read (`sent_s` is None) or sent and not acked.

    `taken_s` is when the broker took it: MQTT delivers what is sent on a connection as long as that
    stands, so before then there is nothing to send again.
    """

    stream: Stream
    lane: Lane
    rows: RangeSet
    sent_s: float | None = None
    taken_s: float | None = None
    birth: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the decisions rest on."""

    settings: PlanSettings
    streams: Mapping[Stream, Waiting]
    batches: Mapping[int, Batch] = field(default_factory=dict)
    connected: bool = False
    next_batch: int = 1
    misses: int = 0
    """Rounds of batches in a row that no ack answered in time."""
    missed_s: float = 0.0
    """When the last of these rounds ended."""
    alone_until_s: float | None = None
    """Nobody listens, and there is no use in trying before then; None when somebody does."""
    acked_s: float = 0.0
    """When the controller last acked something of ours."""
    heard_s: float = 0.0
    """When the other side last gave a sign of life."""


def new_plan(
    ids: Mapping[str, int], lasts: Mapping[str, int], settings: PlanSettings | None = None
) -> Plan:
    """A plan for streams with these ids, whose last numbers are these; nothing outstanding yet."""
    streams = {s: Waiting(id=ids[s], last=lasts[s]) for s in Stream}
    return Plan(PlanSettings() if settings is None else settings, streams)


def outstanding(plan: Plan, stream: Stream) -> RangeSet:
    """Every number of a stream that is accepted and neither acked nor known to be gone."""
    waiting = plan.streams[stream]
    batches = [span for b in plan.batches.values() if b.stream is stream for span in b.rows.spans]
    return RangeSet.of((*waiting.live.spans, *waiting.history.spans, *batches))
