"""What to send next, what to send again, what may be deleted. Pure: no I/O, no clock.

A number of a stream is outstanding from its acceptance until it is acked or found to be gone from
the buffer (thinned). Each outstanding number is in exactly one place: waiting in the live or the
history lane, or part of one batch. Losing the connection, or waiting too long for an ack, puts a
batch's numbers back into the history lane. Only an ack makes a `Delete`.
"""

from collections.abc import Mapping
from dataclasses import replace

from agent.uplink.happenings import (
    Accepted,
    Acked,
    Action,
    BirthsSent,
    Connected,
    Delete,
    Disconnected,
    Found,
    GiveUpLink,
    Happening,
    Published,
    Read,
    Taken,
    Tick,
)
from agent.uplink.state import Batch, Lane, Plan, PlanSettings, Stream, Waiting, outstanding
from shared.ranges import RangeSet

_MOST_SPANS = 64
_MOST_DOUBLINGS = 2
_BEHIND = 4


def step(plan: Plan, event: Happening, now_s: float) -> tuple[Plan, tuple[Action, ...]]:
    """The plan after an event, and what to do. `now_s` is monotonic real time."""
    actions: tuple[Action, ...] = ()
    if isinstance(event, Acked):
        plan, actions = _acked(plan, event.ranges, now_s)
    elif isinstance(event, Tick):
        plan, actions = _tick(plan, now_s)
    else:
        plan = _after(plan, event, now_s)
    plan, reads = _fill(plan, now_s)
    return plan, (*actions, *reads)


def _after(plan: Plan, event: Happening, now_s: float) -> Plan:
    """What an event changes that wants nothing done by itself."""
    match event:
        case Found(stream, rows):
            return _found(plan, stream, rows)
        case Accepted(lasts):
            return _accepted(plan, lasts, now_s)
        case Connected():
            plan = replace(_all_late(plan), connected=True, heard_s=now_s)
            return replace(plan, misses=0, missed_s=now_s, alone_until_s=None)
        case Disconnected():
            return replace(_all_late(plan), connected=False)
        case Published():
            return _published(plan, event, now_s)
        case Taken(batch, listened):
            return _taken(plan, batch, now_s, listened=listened)
        case BirthsSent(births):
            known = {n: b for n, b in plan.batches.items() if b.birth in births}
            return _put_back(plan, known, now_s)
        case _:
            return replace(plan, heard_s=now_s)


def wake_s(plan: Plan) -> float | None:
    """When a `Tick` may change something, in the time `step` is given; None if only events can."""
    if not plan.connected:
        return None
    settings = plan.settings
    moments = [
        due_s for batch in plan.batches.values() if (due_s := _due_s(plan, batch)) is not None
    ]
    silent_s = _silent_s(plan)
    if silent_s is not None:
        moments.append(silent_s)
    if plan.alone_until_s is not None and not plan.batches:
        moments.append(plan.alone_until_s)
    for stream, waiting in plan.streams.items():
        if waiting.live:
            moments.append(waiting.live_since_s + settings.late_after_s)
            if plan.alone_until_s is None and _may_read(plan, stream, Lane.LIVE):
                moments.append(waiting.live_since_s + settings.linger_s[stream])
    return min(moments, default=None)


def _found(plan: Plan, stream: Stream, rows: RangeSet) -> Plan:
    """Numbers above `last` are left to `Accepted`, and those outstanding already stay put."""
    waiting = plan.streams[stream]
    if waiting.last == 0:
        return plan
    new = rows.intersection(RangeSet(((1, waiting.last),))).difference(outstanding(plan, stream))
    return _with(plan, stream, replace(waiting, history=waiting.history.union(new)))


def _accepted(plan: Plan, lasts: Mapping[str, int], now_s: float) -> Plan:
    for stream, waiting in plan.streams.items():
        last = lasts.get(stream, waiting.last)
        if last <= waiting.last:
            continue
        if plan.connected:
            since_s = waiting.live_since_s if waiting.live else now_s
            live = waiting.live.add(waiting.last + 1, last)
            after = replace(waiting, live=live, live_since_s=since_s, last=last)
        else:
            history = waiting.history.add(waiting.last + 1, last)
            after = replace(waiting, history=history, last=last)
        plan = _with(plan, stream, after)
    return plan


def _all_late(plan: Plan) -> Plan:
    """Nothing of the old connection counts as sent, and all that waits is history."""
    streams = {
        stream: replace(waiting, live=RangeSet(), history=outstanding(plan, stream))
        for stream, waiting in plan.streams.items()
    }
    return replace(plan, streams=streams, batches={})


def _published(plan: Plan, event: Published, now_s: float) -> Plan:
    batch = plan.batches.get(event.batch)
    if batch is None or batch.sent_s is not None:
        return plan  # of a connection that is gone
    rows = batch.rows.intersection(event.rows)
    rest = batch.rows.difference(RangeSet(((1, event.through),)) if event.through else RangeSet())
    others = {n: b for n, b in plan.batches.items() if n != event.batch}
    if rows:
        others[event.batch] = replace(batch, rows=rows, sent_s=now_s, birth=event.birth)
    plan = replace(plan, batches=others)
    return _into_lane(plan, replace(batch, rows=rest), now_s)


def _acked(
    plan: Plan, ranges: tuple[tuple[int, int, int], ...], now_s: float
) -> tuple[Plan, tuple[Action, ...]]:
    actions: list[Action] = []
    for stream, waiting in plan.streams.items():
        # Rows accepted after the ack was made cannot be meant by it.
        acked = RangeSet.of(
            (first, min(last, waiting.last))
            for number, first, last in ranges
            if number == waiting.id and first <= waiting.last
        )
        if not acked:
            continue
        actions.append(Delete(stream, acked))
        after = replace(
            waiting,
            live=waiting.live.difference(acked),
            history=waiting.history.difference(acked),
        )
        plan = _with(plan, stream, after)
        batches = _without(plan.batches, stream, acked)
        plan = replace(plan, batches=batches, misses=0, acked_s=now_s)
        plan = replace(plan, alone_until_s=None)
    return replace(plan, heard_s=now_s), tuple(actions)


def _without(batches: Mapping[int, Batch], stream: Stream, acked: RangeSet) -> dict[int, Batch]:
    left: dict[int, Batch] = {}
    for number, batch in batches.items():
        if batch.stream is stream:
            rows = batch.rows.difference(acked)
            # A batch that is being read stays: its answer is still to come.
            if rows or batch.sent_s is None:
                left[number] = replace(batch, rows=rows)
        else:
            left[number] = batch
    return left


def _tick(plan: Plan, now_s: float) -> tuple[Plan, tuple[Action, ...]]:
    if not plan.connected:
        return plan, ()
    actions: tuple[Action, ...] = ()
    silent_s = _silent_s(plan)
    if silent_s is not None and now_s >= silent_s:
        actions = (GiveUpLink(),)
        plan = replace(plan, heard_s=now_s)
    overdue = {
        n: replace(b, lane=Lane.HISTORY)
        for n, b in plan.batches.items()
        if (due_s := _due_s(plan, b)) is not None and now_s >= due_s
    }
    if overdue:
        # Batches that were sent one after another run out one after another: that is one round.
        new_round = now_s >= plan.missed_s + _patience_s(plan)
        plan = _put_back(plan, overdue, now_s)
        if new_round:
            plan = replace(plan, misses=plan.misses + 1, missed_s=now_s)
    for stream, waiting in plan.streams.items():
        if waiting.live and now_s - waiting.live_since_s >= plan.settings.late_after_s:
            late = replace(waiting, live=RangeSet(), history=waiting.history.union(waiting.live))
            plan = _with(plan, stream, late)
    return plan, actions


def _taken(plan: Plan, number: int, now_s: float, *, listened: bool) -> Plan:
    plan = replace(plan, heard_s=now_s)
    batch = plan.batches.get(number)
    if batch is None or batch.sent_s is None:
        return plan  # of a connection that is gone, or acked already
    if not listened:
        plan = _put_back(plan, {number: replace(batch, lane=Lane.HISTORY)}, now_s)
        return replace(plan, alone_until_s=now_s + plan.settings.resend_after_s)
    batches = {**plan.batches, number: replace(batch, taken_s=now_s)}
    return replace(plan, batches=batches, alone_until_s=None)


def _silent_s(plan: Plan) -> float | None:
    """When the link is to be given up, unless something is heard; None if nothing is owed."""
    untaken = [
        b.sent_s for b in plan.batches.values() if b.sent_s is not None and b.taken_s is None
    ]
    if not untaken:
        return None
    return max(plan.heard_s, min(untaken)) + plan.settings.silent_after_s


def _due_s(plan: Plan, batch: Batch) -> float | None:
    """When a batch is to be sent again; None while the broker has not taken it.

    As long as acks of other batches come, the controller works and is merely behind: more of the
    same would put it further behind. But a single batch may have got lost.
    """
    if batch.taken_s is None:
        return None
    patience_s = _patience_s(plan)
    return min(
        max(batch.taken_s, plan.acked_s) + patience_s,
        batch.taken_s + _BEHIND * patience_s,
    )


def _patience_s(plan: Plan) -> float:
    return float(plan.settings.resend_after_s * 2.0 ** min(plan.misses, _MOST_DOUBLINGS))


def _put_back(plan: Plan, batches: Mapping[int, Batch], now_s: float) -> Plan:
    """Ends these batches; their numbers wait again."""
    left = {n: b for n, b in plan.batches.items() if n not in batches}
    plan = replace(plan, batches=left)
    for batch in batches.values():
        plan = _into_lane(plan, batch, now_s)
    return plan


def _into_lane(plan: Plan, batch: Batch, now_s: float) -> Plan:
    if not batch.rows:
        return plan
    waiting = plan.streams[batch.stream]
    if batch.lane is Lane.HISTORY:
        return _with(
            plan, batch.stream, replace(waiting, history=waiting.history.union(batch.rows))
        )
    # They have lingered once and are sent as soon as there is room.
    ready_s = now_s - plan.settings.linger_s[batch.stream]
    since_s = min(waiting.live_since_s, ready_s) if waiting.live else ready_s
    after = replace(waiting, live=waiting.live.union(batch.rows), live_since_s=since_s)
    return _with(plan, batch.stream, after)


def _may_read(plan: Plan, stream: Stream, lane: Lane) -> bool:
    """One read of a stream at a time; a quarter of the window is kept for what is live."""
    batches = [b for b in plan.batches.values() if b.stream is stream]
    if any(b.sent_s is None for b in batches):
        return False
    window = plan.settings.window[stream]
    if lane is Lane.LIVE:
        return len(batches) < window
    late = sum(b.lane is Lane.HISTORY for b in batches)
    return len(batches) < window and late < max(1, window - window // 4)


def _fill(plan: Plan, now_s: float) -> tuple[Plan, tuple[Action, ...]]:
    alone_s = plan.alone_until_s
    if not plan.connected or (alone_s is not None and (plan.batches or now_s < alone_s)):
        return plan, ()
    reads: list[Action] = []
    for stream in Stream:
        waiting = plan.streams[stream]
        lane = _lane(plan.settings, stream, waiting, now_s)
        if lane is None or not _may_read(plan, stream, lane):
            continue
        if reads and alone_s is not None:
            break
        source = waiting.live if lane is Lane.LIVE else waiting.history
        spans, rest = source.spans[:_MOST_SPANS], RangeSet(source.spans[_MOST_SPANS:])
        after = replace(waiting, live=rest) if lane is Lane.LIVE else replace(waiting, history=rest)
        number = plan.next_batch
        batches = {**plan.batches, number: Batch(stream, lane, RangeSet(spans))}
        plan = replace(_with(plan, stream, after), batches=batches, next_batch=number + 1)
        most = plan.settings.batch_rows[stream]
        reads.append(Read(number, stream, spans, most, lane is Lane.HISTORY))
    return plan, tuple(reads)


def _lane(settings: PlanSettings, stream: Stream, waiting: Waiting, now_s: float) -> Lane | None:
    if waiting.live:
        lingered = now_s - waiting.live_since_s >= settings.linger_s[stream]
        if lingered or len(waiting.live) >= settings.batch_rows[stream]:
            return Lane.LIVE
    return Lane.HISTORY if waiting.history else None


def _with(plan: Plan, stream: Stream, waiting: Waiting) -> Plan:
    return replace(plan, streams={**plan.streams, stream: waiting})
