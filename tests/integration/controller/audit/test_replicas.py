"""Several integrators on one database at once: one tree, every leaf in it once."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.audit.verify import Trust, verify
from controller.storage.engine import Storage
from controller.storage.tables import audit_heads, audit_leaves, audit_log
from shared.merkle import Head
from tests import naive_tree
from tests.audit_logs import KEY, bodies, exported, integrator, queue, queue_in
from tests.waiting import wait_for

PATIENCE_S = 180.0
WRITERS = 3
EACH = 60
ROOT = Path(__file__).resolve().parents[4]


def replica(url: str, *arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.integration.controller.audit.integrating", url]
    return subprocess.Popen(
        [*command, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: "subprocess.Popen[bytes]") -> None:
    _out, problem = process.communicate(b"stop\n", timeout=PATIENCE_S)
    assert process.returncode == 0, problem.decode()[-2_000:]


def check_one_tree(storage: Storage, count: int) -> None:
    leaves = bodies(storage)
    with storage.read() as conn:
        row = conn.execute(select(audit_log)).one()
        heads = conn.execute(select(audit_heads).order_by(audit_heads.c.size)).all()
        subjects = list(conn.scalars(select(audit_leaves.c.subject)))
    assert Head(row.size, row.root) == Head(count, naive_tree.root(leaves))
    assert sorted(subjects) == sorted(f"thing-{number}" for number in range(count))
    for head in heads:
        assert head.root == naive_tree.root(leaves[: head.size])
    assert verify(exported(storage), Trust([KEY.public_key()])).leaves == count


def numbers(storage: Storage) -> dict[str, int]:
    with storage.read() as conn:
        rows = conn.execute(select(audit_leaves.c.subject, audit_leaves.c.tree_index)).all()
    return {row.subject: row.tree_index for row in rows}


def test_replicas_append_without_forks(database_url: str, storage: Storage) -> None:
    """Integrators of different group sizes and writers, each a process of its own."""
    integrators = [replica(database_url, "integrate", group) for group in (1, 7, 1_000)]
    writers = [replica(database_url, "queue", writer * EACH, EACH) for writer in range(WRITERS)]
    for process in (*writers, *integrators):
        finish(process)
    check_one_tree(storage, WRITERS * EACH)
    found = numbers(storage)
    for writer in range(WRITERS):  # each leaf was committed before the writer's next one began
        own = [found[f"thing-{number}"] for number in range(writer * EACH, (writer + 1) * EACH)]
        assert own == sorted(own)


def test_a_replica_killed_at_work_leaves_one_tree(database_url: str, storage: Storage) -> None:
    queue(storage, 400)
    doomed = replica(database_url, "integrate", 1)
    wait_for(lambda: any(index is not None for index in numbers(storage).values()), "a number")
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=PATIENCE_S)
    queue(storage, 100, 400)
    while integrator(storage, group=50).round():
        pass
    check_one_tree(storage, 500)


def test_threads_of_one_process_append_without_forks(storage: Storage) -> None:
    done = threading.Event()

    def integrate() -> None:
        worker = integrator(storage, group=10)
        while not done.is_set() or worker.round():
            worker.round()

    threads = [threading.Thread(target=integrate, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for first in range(0, 200, 5):
        queue(storage, 5, first)
    done.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    check_one_tree(storage, 200)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_leaf_committed_late_is_numbered_after_those_that_were_seen_before_it(
    storage: Storage,
) -> None:
    """Its id was handed out first; SQLite's one writer commits ids in their order."""
    with storage.write() as slow:
        queue_in(slow, 1, 0)
        queue(storage, 3, 1)
        integrator(storage).round()
    integrator(storage).round()
    found = numbers(storage)
    assert [found[f"thing-{number}"] for number in range(4)] == [3, 0, 1, 2]
    check_one_tree(storage, 4)
