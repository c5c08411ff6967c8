"""Real tables, real payloads, real thinning, and a link and a controller that lose things.

Every accepted row ends either acked (and then the controller has committed it) or named in exactly
one gap report that the controller gets, whose aggregates are those of the very rows it replaced.
"""

import random
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.buffer import rows
from agent.buffer.aggregates import ReportLimits, report_on
from agent.buffer.births import Declared, DeviceDescription, Identity, Registry, register
from agent.buffer.rows import NewRow
from agent.buffer.thinning import commit_report, find_run
from agent.schema import TELEMETRY, last_seqs, migrate, stream_ids
from agent.uplink.batches import load
from agent.uplink.deleter import delete_spans
from agent.uplink.happenings import (
    Accepted,
    Acked,
    BirthsSent,
    Connected,
    Delete,
    Disconnected,
    Found,
    Happening,
    Published,
    Read,
    Taken,
    Tick,
)
from agent.uplink.plan import step
from agent.uplink.state import PlanSettings, Stream, new_plan
from firmware_bridges.metrics import Metric
from shared.messages.birth import Birth, MetricType
from shared.messages.event import Event, EventBatch, EventKind
from shared.messages.gap import Gap
from shared.messages.telemetry import TelemetryBatch, decode_body, encode_body

POWER = Metric("power_w", "W", MetricType.FLOAT)
HEAT = Metric("temperature_c", "°C", MetricType.FLOAT)
SETTINGS = PlanSettings(
    batch_rows={Stream.EVENT: 3, Stream.TELEMETRY: 7},
    window={Stream.EVENT: 2, Stream.TELEMETRY: 4},
)
TINY = ReportLimits(most_bytes=2_000, enough_gain=0.0, least_gain=0.0, rows_a_bucket=0.0)


class World:
    """An agent's database and plan, a link, a controller."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        migrate(self.connection)
        self.ids = stream_ids(self.connection)
        self.registry = Registry()
        self.declared = Declared(
            Identity("n", "b", "s"),
            self.ids,
            tuple(DeviceDescription(f"m{i}", "miner", "luxos") for i in range(3)),
        )
        self.new_birth()
        self.values: dict[int, tuple[int, int, dict[int, float]]] = {}
        self.committed: dict[Stream, dict[int, bytes]] = {s: {} for s in Stream}
        self.births: set[int] = set()
        self.up: list[tuple[Stream, bytes]] = []
        self.down: list[tuple[tuple[int, int, int], ...]] = []
        self.deleted: set[int] = set()
        self.now_s = 0.0
        self.connected = False
        self.loss = 0.2
        self.restart()

    def new_birth(self) -> None:
        added = (POWER, HEAT) if not self.registry.metrics else ()
        self.registry = register(self.connection, self.declared, self.registry.metrics, added)

    def accept(self) -> None:
        device = self.random.randrange(3)
        time_ms = 1_700_000_000_000 + self.random.randrange(600_000)
        values = {self.registry.metrics[m]: self.random.randrange(1000) / 4 for m in (POWER, HEAT)}
        alias = self.registry.devices[f"m{device}"]
        row = NewRow(self.registry.number, time_ms, alias, encode_body(values))
        seq = row.insert(self.connection)
        assert seq not in self.values, "a number was given twice"
        self.values[seq] = (alias, time_ms, values)
        self.happened(Accepted(last_seqs(self.connection)))

    def thin(self) -> None:
        run = find_run(self.connection)
        if run is None:
            return
        some = run.rows[: self.random.randint(1, len(run.rows))]
        report = report_on(self.ids[TELEMETRY], run.birth, some, TINY)
        if report is not None:
            assert commit_report(self.connection, report, 0) is not None
            self.happened(Accepted(last_seqs(self.connection)))

    def connect(self) -> None:
        self.connected = True
        self.happened(Connected())

    def lose_the_link(self) -> None:
        self.connected = False
        self.happened(Disconnected())

    def commit_and_ack(self) -> None:
        """The controller takes any message that was ever sent, and acks what it has of it."""
        if self.up:
            self.commit(*self.random.choice(self.up))

    def commit(self, stream: Stream, payload: bytes) -> None:
        if stream is Stream.EVENT:
            events = EventBatch.decode(payload)
            new = {row.seq: row.body for row in events.rows}
        else:
            batch = TelemetryBatch.decode(payload)
            if batch.birth not in self.births:
                self.ask_for(batch.birth)
                return
            new = {row.seq: row.body for row in batch.rows}
        self.committed[stream] |= new
        self.down.append(tuple((self.ids[stream], seq, seq) for seq in new))

    def ask_for(self, birth: int) -> None:
        kept = rows.births(self.connection, [birth])
        self.births |= {Birth.decode(payload).number for payload in kept.values()}
        self.happened(BirthsSent(frozenset(kept)))

    def ack_arrives(self) -> None:
        if self.down:
            self.happened(Acked(self.random.choice(self.down)))

    def time_passes(self) -> None:
        self.now_s += self.random.choice([0.1, 1.0, 40.0])
        self.happened(Tick())

    def restart(self) -> None:
        self.connected = False
        self.plan = new_plan(self.ids, last_seqs(self.connection), SETTINGS)
        for stream in Stream:
            self.happened(Found(stream, rows.kept(self.connection, stream)))

    def happened(self, event: Happening) -> None:
        self.plan, actions = step(self.plan, event, self.now_s)
        for action in actions:
            match action:
                case Read():
                    self.serve(action)
                case Delete(stream, acked):
                    before = self.kept(stream)
                    delete_spans(self.connection, stream, acked.spans)
                    gone = before - self.kept(stream)
                    assert gone <= set(self.committed[stream]), "deleted and not committed"
                    if stream is Stream.TELEMETRY:
                        self.deleted |= gone

    def serve(self, read: Read) -> None:
        if not self.connected:
            return
        loaded = load(self.connection, self.ids[read.stream], read)
        if loaded.payload is not None and self.random.random() >= self.loss:
            self.up.append((read.stream, loaded.payload))
        self.happened(Published(read.batch, loaded.rows, loaded.through, loaded.birth))
        self.happened(Taken(read.batch))

    def kept(self, stream: Stream) -> set[int]:
        return {seq for (seq,) in self.connection.execute(f"SELECT seq FROM {stream}")}

    def settle(self) -> None:
        """From here on all is well."""
        self.loss = 0.0
        self.connect()
        taken = 0
        for _ in range(2_000):
            for message in self.up[taken:]:
                taken += 1
                self.commit(*message)
                if self.down:
                    self.happened(Acked(self.down[-1]))
            if not self.kept(Stream.EVENT) and not self.kept(Stream.TELEMETRY):
                return
            self.now_s += 1.0
            self.happened(Tick())
        raise AssertionError("not all of it was acked")

    def gaps(self) -> Iterator[Gap]:
        for body in self.committed[Stream.EVENT].values():
            event = Event.decode(body)
            assert event.kind is EventKind.GAP
            yield Gap.from_data(event.data)


OPERATIONS = (
    *[World.accept] * 8,
    *[World.commit_and_ack] * 4,
    *[World.ack_arrives] * 3,
    World.thin,
    World.new_birth,
    World.connect,
    World.lose_the_link,
    World.time_passes,
    World.restart,
)


def check_accounts(world: World) -> None:
    named: set[int] = set()
    for gap in world.gaps():
        covered = set(range(gap.first, gap.last + 1))
        assert not covered & named, "a row in two reports"
        named |= covered
        for metric in world.registry.metrics.values():
            values = [world.values[seq][2][metric] for seq in covered]
            said = [bucket.metrics[metric] for bucket in gap.buckets if metric in bucket.metrics]
            assert sum(a.count for a in said) == len(values)
            assert sum(a.total for a in said) == pytest.approx(sum(values))
            assert min(a.minimum for a in said) == min(values)
            assert max(a.maximum for a in said) == max(values)
    assert not named & world.deleted, "a row both acked and in a report"
    assert named | world.deleted == set(world.values)
    for seq, body in world.committed[Stream.TELEMETRY].items():
        assert decode_body(body) == world.values[seq][2]


@given(seed=st.integers(0, 2**32), steps=st.integers(20, 400))
@settings(max_examples=200)
def test_every_accepted_row_ends_acked_or_in_one_gap_report(seed: int, steps: int) -> None:
    world = World(seed)
    for _ in range(steps):
        world.random.choice(OPERATIONS)(world)
    world.settle()
    check_accounts(world)
    rows.prune_births(world.connection)
    numbers = [n for (n,) in world.connection.execute("SELECT number FROM births")]
    assert numbers == [world.registry.number], "births that nothing names are dropped"
    world.connection.close()


@pytest.mark.soak
@given(seed=st.integers(0, 2**32), steps=st.integers(20, 400))
@settings(max_examples=2_000)
def test_every_accepted_row_ends_acked_or_reported_by_the_thousand(seed: int, steps: int) -> None:
    world = World(seed)
    for _ in range(steps):
        world.random.choice(OPERATIONS)(world)
    world.settle()
    check_accounts(world)
    world.connection.close()
