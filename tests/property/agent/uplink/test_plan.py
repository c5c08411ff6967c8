"""The plan of sending against a buffer, a link and a controller that all misbehave.

The model keeps what is really in the buffer, what the controller has, and the messages under way.
Whatever happens in whatever order, nothing is deleted that was not acked, every number is in
exactly one place, and once the world behaves everything that is left gets acked.
"""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

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
from agent.uplink.state import PlanSettings, Stream, new_plan, outstanding
from shared.ranges import RangeSet

IDS: dict[str, int] = {Stream.EVENT: 11, Stream.TELEMETRY: 22}
SETTINGS = PlanSettings(
    batch_rows={Stream.EVENT: 2, Stream.TELEMETRY: 3},
    window={Stream.EVENT: 2, Stream.TELEMETRY: 3},
    linger_s={Stream.EVENT: 0.0, Stream.TELEMETRY: 0.5},
    resend_after_s=5.0,
    late_after_s=5.0,
    silent_after_s=20.0,
)
streams = st.sampled_from(list(Stream))


class LossyWorld(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[Stream, set[int]] = {s: set() for s in Stream}
        self.lasts: dict[str, int] = dict.fromkeys(IDS, 0)
        self.acked: dict[Stream, set[int]] = {s: set() for s in Stream}
        self.thinned: dict[Stream, set[int]] = {s: set() for s in Stream}
        self.deleted: dict[Stream, set[int]] = {s: set() for s in Stream}
        self.births: dict[tuple[Stream, int], int] = {}
        self.birth = 1
        self.reads: deque[Read] = deque()
        self.up: list[tuple[Stream, list[int]]] = []
        self.down: list[tuple[tuple[int, int, int], ...]] = []
        self.now_s = 0.0
        self.gave_up = False
        self.connected = False
        self.well = False
        self.plan = new_plan(IDS, self.lasts, SETTINGS)

    @initialize(rows=st.integers(0, 12), gone=st.sets(st.integers(1, 12)))
    def begin_with_a_backlog(self, rows: int, gone: set[int]) -> None:
        self._accept(Stream.TELEMETRY, rows)
        self._accept(Stream.EVENT, rows // 2)
        self.thinned[Stream.TELEMETRY] |= gone & self.kept[Stream.TELEMETRY]
        self.kept[Stream.TELEMETRY] -= gone
        self.restart()

    @rule(stream=streams, count=st.integers(1, 5))
    def rows_are_accepted(self, stream: Stream, count: int) -> None:
        self._accept(stream, count)
        self._happened(Accepted(dict(self.lasts)))

    @rule()
    def a_new_birth(self) -> None:
        self.birth += 1

    @rule()
    def connect(self) -> None:
        self.connected = True
        self.reads.clear()
        self._happened(Connected())

    @rule()
    def lose_the_link(self) -> None:
        self.connected = False
        self._happened(Disconnected())

    @rule(pick=st.integers(0, 5), lost=st.booleans())
    def a_read_is_served(self, pick: int, lost: bool) -> None:
        if self.reads:
            self.reads.rotate(pick)
            self._serve(self.reads.popleft(), lost=lost)

    @rule(number=st.integers(0, 5), listened=st.booleans())
    def the_broker_takes_a_batch(self, number: int, listened: bool) -> None:
        """Of this connection or an older one, sent or not yet."""
        self._happened(Taken(max(0, self.plan.next_batch - number), listened))

    @rule(pick=st.integers(0, 20), cut=st.booleans())
    def the_controller_commits_and_acks(self, pick: int, cut: bool) -> None:
        """Also batches of old connections; acks get lost, come in any order, and again later."""
        if self.up:
            stream, seqs = self.up[pick % len(self.up)]
            seqs = seqs[: max(1, len(seqs) // 2)] if cut else seqs
            self.down.append(tuple((IDS[stream], seq, seq) for seq in seqs))

    @rule(pick=st.integers(0, 20))
    def an_ack_arrives(self, pick: int) -> None:
        if self.down:
            ranges = self.down[pick % len(self.down)]
            for number, first, last in ranges:
                stream = next(s for s in Stream if IDS[s] == number)
                self.acked[stream] |= set(range(first, last + 1))
            self._happened(Acked(ranges))

    @rule(number=st.sampled_from([7, 11, 22]), first=st.integers(1, 60), span=st.integers(0, 40))
    def an_ack_for_what_was_never_accepted(self, number: int, first: int, span: int) -> None:
        stream = next((s for s in Stream if IDS[s] == number), None)
        if stream is not None:
            first += self.lasts[stream]
        self._happened(Acked(((number, first, first + span),)))

    @rule(pick=st.integers(0, 30), count=st.integers(1, 4))
    def old_rows_are_thinned(self, pick: int, count: int) -> None:
        kept = sorted(self.kept[Stream.TELEMETRY])
        gone = set(kept[pick % len(kept) :][:count]) if kept else set()
        self.kept[Stream.TELEMETRY] -= gone
        self.thinned[Stream.TELEMETRY] |= gone

    @rule(seconds=st.sampled_from([0.1, 0.6, 5.0, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        self._happened(Tick())

    @rule(births=st.sets(st.integers(1, 4), max_size=2))
    def births_are_sent_again(self, births: set[int]) -> None:
        self._happened(BirthsSent(frozenset(births)))

    @rule()
    def a_sign_of_life(self) -> None:
        self._happened(Heard())

    @rule(early=st.booleans())
    def restart(self, early: bool = False) -> None:
        """The process is killed: the buffer remains, the plan is new."""
        self.connected = False
        self.reads.clear()
        self.plan = new_plan(IDS, dict(self.lasts), SETTINGS)
        if early:
            self.rows_are_accepted(Stream.TELEMETRY, 2)
        for stream in Stream:
            kept = self.kept[stream]
            span = RangeSet(((min(kept), max(kept)),)) if kept else RangeSet()
            self._happened(Found(stream, span))

    @precondition(lambda self: self.connected)
    @rule()
    def what_is_asked_for_again_at_once_is_not_read_twice(self) -> None:
        asked = [r.batch for r in self.reads]
        assert len(asked) == len(set(asked))

    @invariant()
    def every_number_is_in_one_place(self) -> None:
        for stream in Stream:
            waiting = self.plan.streams[stream]
            places = [waiting.live, waiting.history]
            places += [b.rows for b in self.plan.batches.values() if b.stream is stream]
            assert sum(map(len, places)) == len(outstanding(self.plan, stream))

    @invariant()
    def nothing_that_is_kept_and_not_acked_is_forgotten(self) -> None:
        for stream in Stream:
            left = self.kept[stream] - self.acked[stream]
            assert left <= set(outstanding(self.plan, stream))

    @invariant()
    def the_window_holds(self) -> None:
        for stream in Stream:
            batches = [b for b in self.plan.batches.values() if b.stream is stream]
            assert len(batches) <= SETTINGS.window[stream]
            assert sum(b.sent_s is None for b in batches) <= 1

    @invariant()
    def nothing_waits_without_being_woken(self) -> None:
        if self.connected and any(outstanding(self.plan, s) for s in Stream) and not self.reads:
            assert wake_s(self.plan) is not None

    def teardown(self) -> None:
        """From here on the world behaves: all that is kept gets acked, and soon."""
        self.well = True
        self.connect()
        for _ in range(400):
            while self.reads:
                self._serve(self.reads.popleft(), lost=False)
            for stream, seqs in self.up[-50:]:
                fresh = [s for s in seqs if s in self.kept[stream]]
                if fresh:
                    self.acked[stream] |= set(fresh)
                    self._happened(Acked(tuple((IDS[stream], s, s) for s in fresh)))
            if not any(self.kept.values()):
                break
            self.now_s += 1.0
            self._happened(Tick())
        assert not any(self.kept.values()), (self.kept, self.plan)
        for stream in Stream:
            accepted = set(range(1, self.lasts[stream] + 1))
            assert accepted == self.deleted[stream] | self.thinned[stream]
            assert not self.deleted[stream] & self.thinned[stream]

    def _accept(self, stream: Stream, count: int) -> None:
        for _ in range(count):
            self.lasts[stream] += 1
            self.kept[stream].add(self.lasts[stream])
            self.births[stream, self.lasts[stream]] = self.birth

    def _serve(self, read: Read, *, lost: bool) -> None:
        """As `agent.uplink.batches` does it: rows of one birth, at most `most`."""
        stream = read.stream
        spans = RangeSet(read.spans)
        found = sorted(n for n in self.kept[stream] if n in spans)[: read.most]
        alike = [n for n in found if self.births[stream, n] == self.births[stream, found[0]]]
        complete = len(alike) == len(found) < read.most
        through = read.spans[-1][1] if complete or not found else alike[-1]
        if alike and not lost:
            self.up.append((stream, alike))
        birth = self.births[stream, alike[0]] if alike else None
        published = Published(read.batch, RangeSet.of_numbers(alike), through, birth)
        self._happened(published)
        if self.well:
            self._happened(Taken(read.batch))

    def _happened(self, event: Happening) -> None:
        self.plan, actions = step(self.plan, event, self.now_s)
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Read():
                assert self.connected
                self.reads.append(action)
            case Delete(stream, rows):
                gone = {n for n in self.kept[stream] if n in rows}
                assert gone <= self.acked[stream], "deleted without an ack"
                self.kept[stream] -= gone
                self.deleted[stream] |= gone
            case GiveUpLink():
                self.gave_up = True


TestPlanInALossyWorld = LossyWorld.TestCase
TestPlanInALossyWorld.settings = settings(max_examples=300, stateful_step_count=60)


@pytest.mark.soak
def test_the_plan_keeps_its_promises_by_the_thousand() -> None:
    many = settings(max_examples=10_000, stateful_step_count=80)
    run_state_machine_as_test(LossyWorld, settings=many)
