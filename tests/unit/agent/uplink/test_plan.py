"""What is sent next, what is sent again, what is deleted."""

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
    Heard,
    Published,
    Read,
    Taken,
    Tick,
)
from agent.uplink.plan import step, wake_s
from agent.uplink.state import Plan, PlanSettings, Stream, new_plan, outstanding
from shared.ranges import RangeSet

IDS = {"event": 11, "telemetry": 22}
SETTINGS = PlanSettings(
    batch_rows={Stream.EVENT: 10, Stream.TELEMETRY: 10},
    window={Stream.EVENT: 4, Stream.TELEMETRY: 4},
    linger_s={Stream.EVENT: 0.0, Stream.TELEMETRY: 1.0},
    resend_after_s=10.0,
    late_after_s=30.0,
    silent_after_s=25.0,
)


class Desk:
    """A plan that steps are taken with, and what it wanted done in the last of them."""

    def __init__(self, lasts: dict[str, int] | None = None) -> None:
        first = {"event": 0, "telemetry": 0} if lasts is None else lasts
        self.plan: Plan = new_plan(IDS, first, SETTINGS)
        self.actions: tuple[Action, ...] = ()
        self.now_s = 0.0

    def do(self, event: Happening, at_s: float | None = None) -> tuple[Action, ...]:
        self.now_s = self.now_s if at_s is None else at_s
        self.plan, self.actions = step(self.plan, event, self.now_s)
        return self.actions

    def reads(self) -> list[Read]:
        return [action for action in self.actions if isinstance(action, Read)]

    def publish(self, read: Read, first: int, last: int, birth: int | None = None) -> list[Read]:
        """The rows are sent and the broker takes them."""
        self.do(Published(read.batch, RangeSet(((first, last),)), last, birth))
        reads = self.reads()
        self.do(Taken(read.batch))
        return [*reads, *self.reads()]


def _connected(**lasts: int) -> Desk:
    desk = Desk()
    desk.do(Connected())
    if lasts:
        desk.do(Accepted(lasts))
    return desk


def test_nothing_is_read_without_a_connection() -> None:
    desk = Desk()
    assert desk.do(Accepted({"event": 3, "telemetry": 3})) == ()
    assert desk.do(Tick(), 100.0) == ()
    assert wake_s(desk.plan) is None


def test_events_are_read_before_telemetry() -> None:
    desk = Desk({"event": 5, "telemetry": 5})
    for stream in Stream:
        desk.do(Found(stream, RangeSet(((1, 5),))))
    desk.do(Connected())
    assert [read.stream for read in desk.reads()] == [Stream.EVENT, Stream.TELEMETRY]


def test_live_goes_before_history_and_says_which_it_is() -> None:
    desk = Desk({"event": 0, "telemetry": 100})
    desk.do(Found(Stream.TELEMETRY, RangeSet(((1, 100),))))
    desk.do(Connected())
    (old,) = desk.reads()
    assert (old.spans, old.historical) == (((1, 100),), True)
    desk.do(Accepted({"event": 0, "telemetry": 112}))
    (live,) = desk.publish(old, 1, 10)
    assert (live.spans, live.historical) == (((101, 112),), False)
    (rest,) = desk.publish(live, 101, 110)
    assert (rest.spans, rest.historical) == (((111, 112),), False)
    (more,) = desk.publish(rest, 111, 112)
    assert (more.spans, more.historical) == (((11, 100),), True)


def test_live_telemetry_lingers_to_fill_a_batch_and_events_do_not() -> None:
    desk = _connected(telemetry=3)
    assert desk.reads() == []
    assert wake_s(desk.plan) == 1.0
    desk.do(Tick(), 1.0)
    assert [read.spans for read in desk.reads()] == [((1, 3),)]
    assert [r.spans for r in _connected(telemetry=10).reads()] == [((1, 10),)], "a full batch"
    assert [r.spans for r in _connected(event=1).reads()] == [((1, 1),)]


def test_part_of_the_window_is_kept_for_what_is_live() -> None:
    desk = Desk({"event": 0, "telemetry": 100})
    desk.do(Found(Stream.TELEMETRY, RangeSet(((1, 100),))))
    desk.do(Connected())
    reads = desk.reads()
    for first in (1, 11, 21):
        assert reads, "three batches of history may be out"
        reads = desk.publish(reads[0], first, first + 9)
    assert reads == []
    desk.do(Accepted({"event": 0, "telemetry": 110}))
    assert [read.historical for read in desk.reads()] == [False]


def test_a_batch_is_sent_again_when_its_ack_is_late_and_later_each_time() -> None:
    desk = _connected(event=2)
    desk.publish(desk.reads()[0], 1, 2)
    assert desk.do(Tick(), 9.9) == ()
    desk.do(Tick(), 10.0)
    (again,) = desk.reads()
    assert (again.spans, again.historical) == (((1, 2),), True)
    desk.publish(again, 1, 2)
    assert desk.do(Tick(), 29.0) == (), "twice as long, because no ack came at all"
    desk.do(Tick(), 30.0)
    assert len(desk.reads()) == 1


def test_while_other_batches_are_acked_a_missing_ack_is_waited_for_longer() -> None:
    desk = _connected(telemetry=10)
    (first,) = desk.reads()
    desk.publish(first, 1, 10)
    for second in range(1, 40):
        last = 10 + second * 10
        desk.do(Accepted({"event": 0, "telemetry": last}), float(second))
        (read,) = desk.reads()
        assert not read.historical, "the first batch is not sent again"
        desk.publish(read, last - 9, last)
        desk.do(Acked(((22, last - 9, last),)))
    assert wake_s(desk.plan) == 40.0
    desk.do(Tick(), 40.0)
    assert [read.spans for read in desk.reads()] == [((1, 10),)]


def test_an_ack_deletes_in_any_order_twice_and_in_part() -> None:
    desk = _connected(event=9)
    desk.publish(desk.reads()[0], 1, 9)
    assert desk.do(Acked(((11, 8, 9),))) == (Delete(Stream.EVENT, RangeSet(((8, 9),))),)
    assert desk.do(Acked(((11, 8, 9), (11, 2, 3)))) == (
        Delete(Stream.EVENT, RangeSet(((2, 3), (8, 9)))),
    )
    assert outstanding(desk.plan, Stream.EVENT).spans == ((1, 1), (4, 7))
    desk.do(Tick(), 10.0)
    assert desk.reads()[0].spans == ((1, 1), (4, 7)), "only what is missing is sent again"
    desk.do(Acked(((11, 1, 9),)))
    assert not outstanding(desk.plan, Stream.EVENT)


def test_an_ack_never_reaches_rows_accepted_after_it() -> None:
    desk = _connected(event=5)
    assert desk.do(Acked(((11, 1, 1_000),))) == (Delete(Stream.EVENT, RangeSet(((1, 5),))),)
    desk.do(Accepted({"event": 6, "telemetry": 0}))
    assert outstanding(desk.plan, Stream.EVENT).spans == ((6, 6),)


def test_an_ack_of_another_stream_or_of_nothing_does_nothing() -> None:
    desk = _connected(event=5)
    before = outstanding(desk.plan, Stream.EVENT)
    assert desk.do(Acked(((99, 1, 5),))) == ()
    assert desk.do(Acked(((11, 6, 9),))) == ()
    assert desk.do(Acked(())) == ()
    assert outstanding(desk.plan, Stream.EVENT) == before


def test_nothing_of_the_old_connection_counts_as_sent() -> None:
    desk = _connected(event=4, telemetry=10)
    event, telemetry = desk.reads()
    desk.publish(event, 1, 4)
    desk.do(Disconnected())
    assert desk.do(Published(telemetry.batch, RangeSet(((1, 10),)), 10)) == (), "too late"
    desk.do(Connected())
    assert [(r.spans, r.historical) for r in desk.reads()] == [
        (((1, 4),), True),
        (((1, 10),), True),
    ]


def test_rows_accepted_while_the_backlog_is_looked_up_are_sent_on_this_connection() -> None:
    desk = Desk({"event": 0, "telemetry": 50})
    desk.do(Connected())
    desk.do(Accepted({"event": 0, "telemetry": 53}))
    desk.do(Found(Stream.TELEMETRY, RangeSet(((20, 53),))))
    assert outstanding(desk.plan, Stream.TELEMETRY).spans == ((20, 53),)
    assert desk.reads()[0].spans == ((20, 50),)
    desk.publish(desk.reads()[0], 20, 29)
    desk.do(Tick(), 1.0)
    sent = {span for batch in desk.plan.batches.values() for span in batch.rows.spans}
    assert (51, 53) in sent or (51, 53) in desk.plan.streams[Stream.TELEMETRY].live.spans


def test_rows_that_are_gone_from_the_buffer_are_not_asked_for_again() -> None:
    desk = Desk({"event": 0, "telemetry": 1_000_000})
    desk.do(Found(Stream.TELEMETRY, RangeSet(((1, 1_000_000),))))
    desk.do(Connected())
    (read,) = desk.reads()
    desk.do(Published(read.batch, RangeSet(((1, 1), (999_999, 999_999))), 999_999, 5))
    assert outstanding(desk.plan, Stream.TELEMETRY).spans == (
        (1, 1),
        (999_999, 1_000_000),
    )


def test_batches_of_a_birth_that_was_lacking_are_sent_again_at_once() -> None:
    desk = _connected(telemetry=20)
    (first,) = desk.reads()
    (second,) = desk.publish(first, 1, 10, birth=3)
    desk.publish(second, 11, 20, birth=4)
    desk.do(BirthsSent(frozenset({3})), 0.5)
    assert [(r.spans, r.historical) for r in desk.reads()] == [(((1, 10),), False)]


def test_what_the_broker_has_not_taken_is_not_sent_again_on_that_connection() -> None:
    desk = _connected(event=1)
    (read,) = desk.reads()
    desk.do(Published(read.batch, RangeSet(((1, 1),)), 1))
    assert desk.do(Tick(), 24.0) == (), "a slow link is not helped by more of the same"
    desk.do(Taken(read.batch))
    assert desk.do(Tick(), 33.9) == ()
    desk.do(Tick(), 34.0)
    assert len(desk.reads()) == 1


def test_while_nobody_listens_one_batch_at_a_time_tries() -> None:
    desk = Desk({"event": 30, "telemetry": 30})
    for stream in Stream:
        desk.do(Found(stream, RangeSet(((1, 30),))))
    desk.do(Connected())
    for read in desk.reads():
        desk.do(Published(read.batch, RangeSet(((1, 10),)), 10))
    for batch in tuple(desk.plan.batches):
        desk.do(Taken(batch, listened=False))
        desk.do(Published(batch, RangeSet(), 0))
    while desk.plan.batches:
        (batch, *_) = desk.plan.batches
        desk.do(Published(batch, RangeSet(((1, 10),)), 10))
        desk.do(Taken(batch, listened=False))
    assert len(outstanding(desk.plan, Stream.EVENT)) == 30
    assert wake_s(desk.plan) == 10.0
    assert desk.do(Accepted({"event": 31, "telemetry": 60}), 9.9) == ()
    desk.do(Tick(), 10.0)
    (probe,) = desk.reads()
    desk.do(Published(probe.batch, RangeSet(((31, 31),)), 31))
    assert desk.reads() == []
    desk.do(Taken(probe.batch, listened=True))
    assert {read.stream for read in desk.reads()} == set(Stream), "somebody listens again"


def test_a_link_that_takes_nothing_and_says_nothing_is_given_up() -> None:
    desk = _connected(event=1)
    (read,) = desk.reads()
    desk.do(Published(read.batch, RangeSet(((1, 1),)), 1))
    assert wake_s(desk.plan) == 25.0
    desk.do(Heard(), 5.0)
    assert desk.do(Tick(), 29.0) == ()
    assert desk.do(Tick(), 30.0) == (GiveUpLink(),)
    assert desk.do(Tick(), 30.1) == (), "once"


def test_a_broker_that_takes_batches_is_not_silent_though_no_controller_acks() -> None:
    desk = _connected(event=1)
    desk.publish(desk.reads()[0], 1, 1)
    assert GiveUpLink() not in desk.do(Tick(), 500.0)


def test_an_idle_link_may_be_silent() -> None:
    desk = _connected()
    assert desk.do(Tick(), 10_000.0) == ()


def test_what_waited_too_long_is_no_longer_live() -> None:
    desk = _connected(telemetry=3)
    desk.do(Tick(), 31.0)
    assert [(r.spans, r.historical) for r in desk.reads()] == [(((1, 3),), True)]
