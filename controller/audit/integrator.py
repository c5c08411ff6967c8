"""Numbers queued leaves into the tree, a group a transaction, one integrator at a time.

The lock is the one row of `audit_log`: PostgreSQL locks it for the transaction, SQLite has one
writer anyway. A group takes the queued leaves that are visible once the lock is held, oldest id
first, so that a leaf whose transaction committed later gets a later number than any it could have
seen. Numbers, tiles, the tree's new size and its head commit together: a crash leaves either all
of a group or nothing, and no two integrators can ever grow the same tree apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from controller.audit import tiles
from controller.audit.notes import HeadSigner, TreeHead, unsigned
from controller.clock import Clock
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.metrics import ControllerMetrics
from controller.storage.engine import Storage
from controller.storage.tables import audit_heads, audit_leaves, audit_log, audit_tiles
from controller.storage.upsert import upsert
from shared.merkle import EMPTY_ROOT, Head

LOG_ROW = 1
GROUP = 1_000
_log = structlog.get_logger()


class LogDamagedError(Exception):
    """The stored tree is not the one that its head names: nothing is appended to it."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How heads are signed: the log's name, and its key where it has one."""

    origin: str
    signer: HeadSigner | None


class Integrator:
    """One a process; any number may work on one database."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        signing: Signing,
        metrics: ControllerMetrics | None = None,
        group: int = GROUP,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._signing = signing
        self._metrics = metrics
        self._group = group
        if signing.signer is None:
            _log.warning("the heads of the audit log are not signed", origin=signing.origin)

    def round(self) -> bool:
        """Numbers one group at the most; True when there may be more at once.

        `LogDamagedError`, once it is reported as a security event, while the tree is damaged.
        """
        if not self._is_queued():
            return False
        try:
            with self._storage.write() as conn:
                taken = self.integrate(conn)
        except LogDamagedError as damage:
            self._report(damage)
            raise
        if taken and self._metrics is not None:
            self._metrics.audit_leaves.inc(taken)
        return taken == self._group

    def integrate(self, conn: Connection) -> int:
        """Numbers a group in the transaction of `conn`; how many leaves it had."""
        head = _locked_head(conn)
        queued = conn.execute(
            select(audit_leaves.c.id, audit_leaves.c.leaf_hash)
            .where(audit_leaves.c.tree_index.is_(None))
            .order_by(audit_leaves.c.id)
            .limit(self._group)
        ).all()
        if not queued:
            return 0
        grown = _grown(conn, head, [row.leaf_hash for row in queued])
        _number(conn, [row.id for row in queued], head.size)
        rows = [
            {"level": level, "position": position, "hashes": hashes}
            for (level, position), hashes in grown.tiles.items()
        ]
        upsert(conn, audit_tiles, rows, ["level", "position"])
        conn.execute(
            update(audit_log)
            .where(audit_log.c.id == LOG_ROW)
            .values(size=grown.head.size, root=grown.head.root)
        )
        self._publish(conn, grown.head)
        return len(queued)

    def _report(self, damage: LogDamagedError) -> None:
        with self._storage.write() as conn:
            report(
                conn,
                kind=SecurityKind.AUDIT_LOG_DAMAGED,
                subject=self._signing.origin,
                detail={"problem": str(damage)},
                now_ms=self._clock.now_ms(),
            )

    def _is_queued(self) -> bool:
        queued = select(audit_leaves.c.id).where(audit_leaves.c.tree_index.is_(None)).limit(1)
        with self._storage.read() as conn:
            return conn.execute(queued).first() is not None

    def _publish(self, conn: Connection, head: Head) -> None:
        tree_head = TreeHead(self._signing.origin, head, self._clock.now_ms())
        signer = self._signing.signer
        conn.execute(
            insert(audit_heads).values(
                size=head.size,
                root=head.root,
                time_ms=tree_head.time_ms,
                key_id=None if signer is None else signer.key_id.hex(),
                note=unsigned(tree_head) if signer is None else signer.sign(tree_head),
            )
        )


def _locked_head(conn: Connection) -> Head:
    row = conn.execute(
        select(audit_log.c.size, audit_log.c.root)
        .where(audit_log.c.id == LOG_ROW)
        .with_for_update()
    ).one()
    return Head(row.size, row.root)


def _grown(conn: Connection, head: Head, leaves: Sequence[bytes]) -> tiles.Growth:
    wanted = tiles.border(head.size)
    stored: dict[tiles.Tile, bytes] = {}
    if wanted:
        rows = conn.execute(
            select(audit_tiles).where(
                tuple_(audit_tiles.c.level, audit_tiles.c.position).in_(wanted)
            )
        )
        stored = {(row.level, row.position): row.hashes for row in rows}
    try:
        root = tiles.root_of(head.size, stored) if head.size else EMPTY_ROOT
        if root != head.root:
            raise LogDamagedError(f"the tiles do not give the root of size {head.size}")
        return tiles.grow(head.size, stored, leaves)
    except tiles.TileError as error:
        raise LogDamagedError(f"the tree of size {head.size}: {error}") from error


def _number(conn: Connection, ids: Sequence[int], first: int) -> None:
    """Gives the leaves the numbers from `first` on; one statement where arrays can be passed."""
    if conn.dialect.name == "postgresql":
        placed = (
            func.unnest(literal(list(ids), ARRAY(BigInteger)))
            .table_valued("leaf", with_ordinality="place", name="placed")
            .render_derived()
        )
        conn.execute(
            update(audit_leaves)
            .where(audit_leaves.c.id == placed.c.leaf)
            .values(tree_index=placed.c.place + (first - 1))
        )
        return
    conn.execute(
        update(audit_leaves)
        .where(audit_leaves.c.id == bindparam("leaf"))
        .values(tree_index=bindparam("index")),
        [{"leaf": leaf, "index": first + at} for at, leaf in enumerate(ids)],
    )
