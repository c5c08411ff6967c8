"""Alarms from their events. Pure.

An alarm of a (stream, device, code) is raised until it is lowered. Events may come in any order;
their sequence numbers say what happened first.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One alarm event of one (stream, device, code)."""

    seq: int
    time_ms: int
    raised: bool
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class AlarmSpan:
    """From a raising to the lowering behind it, or raised still."""

    raised: AlarmEvent
    lowered: AlarmEvent | None


def alarm_spans(events: Iterable[AlarmEvent]) -> list[AlarmSpan]:
    """The alarm's history. Raised again while raised, or lowered while lowered, is no change."""
    spans: list[AlarmSpan] = []
    for event in sorted(events, key=lambda event: event.seq):
        standing = spans[-1] if spans and spans[-1].lowered is None else None
        if event.raised and standing is None:
            spans.append(AlarmSpan(event, None))
        elif not event.raised and standing is not None:
            spans[-1] = AlarmSpan(standing.raised, event)
    return spans
