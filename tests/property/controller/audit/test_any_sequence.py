"""Whatever is queued, however it is grouped, wherever it is cut off: the tree is the naive one."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from controller.audit import tiles
from controller.audit.proofs import consistency, inclusion
from controller.audit.verify import Trust, verify
from controller.storage.engine import Storage
from controller.storage.tables import audit_heads, audit_log
from shared.merkle import EMPTY_ROOT, Head, is_consistent, is_included, leaf_hash
from tests import naive_tree
from tests.audit_logs import KEY, bodies, crashing, exported, integrator, queue, queue_in


class AuditLog(RuleBasedStateMachine):
    """Queue, integrate with any group, crash before the commit, queue and roll back."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bes-audit-"))
        file = self.folder / "controller.db"
        shutil.copyfile(self.template, file)
        self.storage = Storage(f"sqlite:///{file}")
        self.queued = 0
        self.heads: list[Head] = []

    def teardown(self) -> None:
        self.storage.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 300))
    def queue_some(self, count: int) -> None:
        queue(self.storage, count, self.queued)
        self.queued += count

    @rule(count=st.integers(1, 5))
    def queue_and_roll_back(self, count: int) -> None:
        with crashing(self.storage) as conn:
            queue_in(conn, count, self.queued)

    @rule(group=st.integers(1, 400))
    def integrate(self, group: int) -> None:
        integrator(self.storage, group).round()

    @rule(group=st.integers(1, 400))
    def crash(self, group: int) -> None:
        with crashing(self.storage) as conn:
            integrator(self.storage, group).integrate(conn)

    @invariant()
    def the_tree_is_the_naive_one(self) -> None:
        leaves = bodies(self.storage)
        with self.storage.read() as conn:
            log = conn.execute(select(audit_log)).one()
            newest = conn.execute(
                select(audit_heads).order_by(audit_heads.c.size.desc()).limit(1)
            ).one_or_none()
            head = Head(log.size, log.root)
            assert head == Head(len(leaves), naive_tree.root(leaves))
            assert head == (Head(newest.size, newest.root) if newest else Head(0, EMPTY_ROOT))
            for old in self.heads[-3:]:
                path = consistency(conn, old.size, head.size)
                assert is_consistent(old, head, path)
            if leaves:
                at = len(leaves) // 3
                path = inclusion(conn, at, head.size)
                assert is_included(leaf_hash(leaves[at]), at, head.size, path, head.root)
        if leaves and (not self.heads or self.heads[-1] != head):
            self.heads.append(head)

    @invariant()
    def the_export_holds(self) -> None:
        found = verify(exported(self.storage), Trust([KEY.public_key()]))
        assert found.leaves == len(bodies(self.storage))


def test_any_sequence_gives_the_naive_tree(sqlite_template: Path) -> None:
    machine = type("AuditLogHere", (AuditLog,), {"template": sqlite_template})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=12, deadline=None)
    )


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
@settings(max_examples=20)
def test_any_grouping_gives_the_same_tiles(groups: list[int]) -> None:
    leaves = [leaf_hash(f"leaf {number}".encode()) for number in range(sum(groups))]
    at_once = tiles.grow(0, {}, leaves)
    kept: dict[tiles.Tile, bytes] = {}
    size = 0
    for count in groups:
        border = {tile: kept[tile] for tile in tiles.border(size)}
        growth = tiles.grow(size, border, leaves[size : size + count])
        kept.update(growth.tiles)
        size = growth.head.size
    assert kept == at_once.tiles
    assert tiles.root_of(size, {t: kept[t] for t in tiles.border(size)}) == at_once.head.root
