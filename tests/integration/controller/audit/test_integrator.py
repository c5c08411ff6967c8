"""Queued leaves become a tree, on both databases, whatever interrupts it."""

import pytest
from sqlalchemy import delete, func, select, update

from controller.audit.integrator import Integrator, LogDamagedError
from controller.audit.notes import parse, signed_by
from controller.audit.proofs import consistency, inclusion
from controller.errors import ConflictError
from controller.metrics import ControllerMetrics
from controller.retention.job import RetentionJob
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_heads,
    audit_leaves,
    audit_log,
    audit_tiles,
    retention,
    security_events,
)
from shared.merkle import Head, is_consistent, is_included, leaf_hash
from tests import naive_tree
from tests.audit_logs import (
    KEY,
    ORIGIN,
    bodies,
    crashing,
    fill,
    integrator,
    queue,
    queue_in,
    signing,
)
from tests.nodes import NOON_MS, StillClock


def head_of(storage: Storage) -> Head:
    with storage.read() as conn:
        row = conn.execute(select(audit_log)).one()
    return Head(row.size, row.root)


def test_leaves_are_numbered_in_the_order_they_were_committed(storage: Storage) -> None:
    queue(storage, 700)
    worker = integrator(storage, group=300)
    assert [worker.round() for _ in range(4)] == [True, True, False, False]
    leaves = bodies(storage)
    assert head_of(storage) == Head(700, naive_tree.root(leaves))
    with storage.read() as conn:
        subjects = conn.scalars(select(audit_leaves.c.subject).order_by(audit_leaves.c.tree_index))
        assert list(subjects) == [f"thing-{number}" for number in range(700)]


def test_every_group_has_a_signed_head_of_its_own(storage: Storage) -> None:
    fill(storage, 3, 1, 260)
    leaves = bodies(storage)
    with storage.read() as conn:
        rows = conn.execute(select(audit_heads).order_by(audit_heads.c.size)).all()
    assert [row.size for row in rows] == [3, 4, 264]
    for row in rows:
        note = parse(row.note)
        assert note.tree_head.head == Head(row.size, row.root)
        assert row.root == naive_tree.root(leaves[: row.size])
        assert note.tree_head.time_ms == row.time_ms == NOON_MS
        assert signed_by(note, [KEY.public_key()])
        assert row.key_id == note.signatures[0].key_id.hex()


def test_without_a_key_the_heads_say_that_they_are_unsigned(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(storage, 2, key=None)
    assert "not signed" in capsys.readouterr().out
    with storage.read() as conn:
        row = conn.execute(select(audit_heads)).one()
    assert row.key_id is None
    assert parse(row.note).signatures == ()


def test_nothing_queued_makes_no_head(storage: Storage) -> None:
    assert integrator(storage).round() is False
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(audit_heads)) == 0


def test_a_crash_before_the_commit_leaves_nothing_of_the_group(storage: Storage) -> None:
    fill(storage, 300)
    before = head_of(storage)
    queue(storage, 300, 300)
    with crashing(storage) as conn:
        assert integrator(storage, group=200).integrate(conn) == 200
    assert head_of(storage) == before
    while integrator(storage, group=200).round():
        pass
    assert head_of(storage) == Head(600, naive_tree.root(bodies(storage)))


def test_a_leaf_of_a_change_that_was_rolled_back_is_in_no_tree(storage: Storage) -> None:
    with crashing(storage) as conn:
        queue_in(conn, 3)
    queue(storage, 2, 3)
    integrator(storage).round()
    assert len(bodies(storage)) == 2


def test_proofs_of_any_earlier_size_hold(storage: Storage) -> None:
    fill(storage, 256, 1, 255, 300)
    leaves = bodies(storage)
    with storage.read() as conn:
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 812):
            head = Head(size, naive_tree.root(leaves[:size]))
            for index in {0, size // 2, size - 1}:
                path = inclusion(conn, index, size)
                assert is_included(leaf_hash(leaves[index]), index, size, path, head.root)
            path = consistency(conn, size, 812)
            assert is_consistent(head, head_of(storage), path)
        with pytest.raises(ConflictError, match="812 leaves, not yet 813"):
            inclusion(conn, 0, 813)
        with pytest.raises(ConflictError, match="not yet 900"):
            consistency(conn, 1, 900)


@pytest.mark.parametrize("damage", ["a hash", "a tile gone", "the head"])
def test_nothing_is_appended_to_a_tree_that_was_tampered_with(
    storage: Storage, damage: str
) -> None:
    fill(storage, 300)
    with storage.write() as conn:
        if damage == "a hash":
            tile = (audit_tiles.c.level == 0) & (audit_tiles.c.position == 1)
            conn.execute(update(audit_tiles).where(tile).values(hashes=bytes(32 * 44)))
        elif damage == "a tile gone":
            conn.execute(delete(audit_tiles).where(audit_tiles.c.level == 1))
        else:
            conn.execute(update(audit_log).values(size=299))
    damaged = head_of(storage)
    queue(storage, 5, 300)
    for _ in range(2):
        with pytest.raises(LogDamagedError):
            integrator(storage).round()
    assert head_of(storage) == damaged
    with storage.read() as conn:
        told = conn.execute(select(security_events)).one()
        queued = conn.scalars(
            select(audit_leaves.c.kind).where(audit_leaves.c.tree_index.is_(None))
        )
        assert sorted(set(queued)) == ["security.event", "test.changed", "test.made"]
    assert (told.kind, told.severity, told.occurrences) == ("audit_log_damaged", "critical", 2)
    assert told.subject == ORIGIN


def test_retention_keeps_the_log_for_ever(storage: Storage) -> None:
    fill(storage, 20)
    with storage.write() as conn:
        for name in ("events", "commands", "telemetry"):
            conn.execute(retention.insert().values(data_class=name, keep_ms=1, updated_ms=NOON_MS))
    clock = StillClock(time_ms=NOON_MS + 10**12, real_time_ms=NOON_MS + 10**12)
    RetentionJob(storage, clock, ControllerMetrics()).round()
    assert len(bodies(storage)) == 20
    with storage.read() as conn:
        assert conn.scalar(select(func.count()).select_from(audit_heads)) == 1


def test_what_was_numbered_is_counted(storage: Storage) -> None:
    metrics = ControllerMetrics()
    queue(storage, 7)
    Integrator(storage, StillClock(), signing(), metrics).round()
    assert metrics.registry.get_sample_value("bes_audit_leaves_total") == 7
