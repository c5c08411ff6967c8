"""Audit leaves appended per second, and the time to prove one among a million.

Append: leaves are queued by `queue_leaf`'s own rows, `GROUP` a transaction as parts that commit in
groups do, and the integrator numbers each group into the tree with a signed head; the clock stops
when the last head is committed. The floor inserts the same rows into the same table with its
indexes, in the same groups, and does nothing else; floor and case take turns and the medians are
reported. PostgreSQL runs with fsync on, SQLite with synchronous=FULL.

Prove: a tree of a million leaves is grown through the same tiles into a SQLite file; a proof reads
them in a transaction of its own, as the REST route does, and is verified outside the clock. The
median and the slowest hundredth, of leaves at random places. The floor is the least that a proof
could cost: reading one tile by its key.
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, tuple_, update

from controller.audit import tiles
from controller.audit.export import export_lines
from controller.audit.integrator import Integrator, Signing
from controller.audit.leaves import leaf_bytes
from controller.audit.notes import HeadSigner
from controller.audit.proofs import consistency, inclusion
from controller.audit.verify import Trust, verify
from controller.clock import SystemClock
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from controller.storage.tables import audit_leaves, audit_log, audit_tiles
from controller.storage.upsert import upsert
from shared.merkle import Head, is_consistent, is_included, leaf_hash
from tests.bench.report import Case, beside, show, write
from tests.databases import postgresql_server

GROUP = 1_000
PROVEN = 1_000_000
UNIT = "leaves/s"
_ORIGIN = "bench.example/audit"
_STEP = 10_000

Row = dict[str, Any]


def make_rows(count: int) -> list[Row]:
    """Leaves as commands leave them: some 200 bytes, few kinds and actors, each subject new."""
    start_ms = SystemClock().now_ms() - count
    rows = []
    for number in range(count):
        actor, subject = f"user:{number % 20}", f"{number:032x}"
        data = {"node": f"site-{number % 50:02}", "action": "curtail", "power_w": 30_000 + number}
        body = leaf_bytes("command.issued", actor, subject, start_ms + number, data)
        rows.append(
            {
                "kind": "command.issued",
                "actor": actor,
                "subject": subject,
                "body": body,
                "leaf_hash": leaf_hash(body),
                "created_ms": start_ms + number,
            }
        )
    return rows


def time_floor(url: str, rows: Sequence[Row]) -> float:
    """Rows per second inserted, numbered or not."""
    storage = Storage(url)
    migrate(storage)
    begin = time.perf_counter()
    for start in range(0, len(rows), GROUP):
        with storage.write() as conn:
            conn.execute(insert(audit_leaves), rows[start : start + GROUP])
    rate = len(rows) / (time.perf_counter() - begin)
    storage.close()
    return rate


def time_append(url: str, rows: Sequence[Row], key: Ed25519PrivateKey) -> float:
    """Leaves per second queued, numbered and under a signed head; the log is verified after."""
    storage = Storage(url)
    migrate(storage)
    integrator = Integrator(
        storage, SystemClock(), Signing(_ORIGIN, HeadSigner(_ORIGIN, key)), group=GROUP
    )
    begin = time.perf_counter()
    for start in range(0, len(rows), GROUP):
        with storage.write() as conn:
            conn.execute(insert(audit_leaves), rows[start : start + GROUP])
        integrator.round()
    while integrator.round():
        pass
    seconds = time.perf_counter() - begin
    lines = (line for page in export_lines(storage) for line in page.splitlines(keepends=True))
    found = verify(lines, Trust([key.public_key()]))
    storage.close()
    if found.leaves != len(rows):
        raise RuntimeError(f"{found.leaves} leaves are in the log, {len(rows)} were appended")
    return len(rows) / seconds


def measure_append(
    name: str, fresh_url: Callable[[], str], rows: Sequence[Row], repeats: int
) -> Case:
    """Floor and append take turns; medians."""
    key = Ed25519PrivateKey.generate()
    floors, rates = [], []
    for _ in range(repeats):
        floors.append(time_floor(fresh_url(), rows))
        rates.append(time_append(fresh_url(), rows, key))
    return beside(name, statistics.median(rates), UNIT, statistics.median(floors))


def grow_tree(storage: Storage, leaves: Sequence[bytes]) -> Head:
    """The tiles of these leaves in the database, with no rows of leaves."""
    head, kept = Head(0, b""), dict[tiles.Tile, bytes]()
    for start in range(0, len(leaves), _STEP):
        border = {tile: kept[tile] for tile in tiles.border(head.size)}
        growth = tiles.grow(head.size, border, leaves[start : start + _STEP])
        head, kept = growth.head, {**border, **growth.tiles}
        written = [
            {"level": level, "position": position, "hashes": hashes}
            for (level, position), hashes in growth.tiles.items()
        ]
        with storage.write() as conn:
            upsert(conn, audit_tiles, written, ["level", "position"])
    with storage.write() as conn:
        conn.execute(update(audit_log).values(size=head.size, root=head.root))
    return head


def measure_proofs(storage: Storage, count: int) -> list[Case]:
    """Times in milliseconds; every proof is verified."""
    leaves = [leaf_hash(number.to_bytes(8, "big")) for number in range(PROVEN)]
    head = grow_tree(storage, leaves)
    chance = random.Random(6962)
    proving, floors, continuing = [], [], []
    for _ in range(count):
        index = chance.randrange(PROVEN)
        begin = time.perf_counter()
        with storage.read() as conn:
            path = inclusion(conn, index, PROVEN)
        proving.append(time.perf_counter() - begin)
        if not is_included(leaves[index], index, PROVEN, path, head.root):
            raise RuntimeError(f"the proof of leaf {index} does not hold")
        begin = time.perf_counter()
        with storage.read() as conn:
            at = (audit_tiles.c.level == 0) & (audit_tiles.c.position == index // tiles.WIDTH)
            conn.execute(select(audit_tiles.c.hashes).where(at)).one()
        floors.append(time.perf_counter() - begin)
        first = chance.randrange(1, PROVEN)
        begin = time.perf_counter()
        with storage.read() as conn:
            steps = consistency(conn, first, PROVEN)
        continuing.append(time.perf_counter() - begin)
        old = Head(first, _root_at(storage, first))
        if not is_consistent(old, head, steps):
            raise RuntimeError(f"the proof from {first} leaves does not hold")
    floor_ms = statistics.median(floors) * 1_000
    slowest = sorted(proving)[-(len(proving) // 100) - 1]
    return [
        beside("prove_1e6", statistics.median(proving) * 1_000, "ms", floor_ms),
        Case("prove_1e6, slowest hundredth", slowest * 1_000, "ms"),
        Case("prove_consistency_1e6", statistics.median(continuing) * 1_000, "ms"),
    ]


def _root_at(storage: Storage, size: int) -> bytes:
    """The root of an earlier size, from the tiles that cover it."""
    keys = tuple_(audit_tiles.c.level, audit_tiles.c.position)
    with storage.read() as conn:
        rows = conn.execute(
            select(audit_tiles).where(keys.in_(sorted(tiles.tiles_of([(0, size)]))))
        )
        return tiles.root_of(size, {(row.level, row.position): row.hashes for row in rows})


def main(argv: Sequence[str] | None = None) -> int:
    """Runs both databases and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--leaves", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--proofs", type=int, default=500)
    arguments = parser.parse_args(argv)
    if arguments.leaves < GROUP or arguments.repeats < 1 or arguments.proofs < 1:
        parser.error(f"at least {GROUP} leaves, one repeat and one proof")
    rows = make_rows(arguments.leaves)
    with tempfile.TemporaryDirectory(prefix="bes-bench-") as temporary:
        files = itertools.count()

        def fresh() -> str:
            return f"sqlite:///{temporary}/{next(files)}.db"

        cases = [measure_append("append_sqlite", fresh, rows, arguments.repeats)]
        with postgresql_server(durable=True) as server:
            cases.append(
                measure_append(
                    "append_postgresql",
                    lambda: server.url(server.create()),
                    rows,
                    arguments.repeats,
                )
            )
        storage = Storage(fresh())
        migrate(storage)
        cases += measure_proofs(storage, arguments.proofs)
        storage.close()
    write(arguments.json, "audit", cases)
    sys.stdout.write(show(cases) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
