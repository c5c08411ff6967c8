"""Proofs out of the stored tiles."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, tuple_

from controller.audit import tiles
from controller.errors import ConflictError
from controller.storage.tables import audit_log, audit_tiles
from shared.merkle import Range, consistency_ranges, inclusion_ranges, proof


def tree_size(conn: Connection) -> int:
    """How many leaves are numbered."""
    size: int = conn.execute(select(audit_log.c.size)).scalar_one()
    return size


def inclusion(conn: Connection, index: int, size: int) -> list[bytes]:
    """The proof that leaf `index` stands in the tree of `size`, from the leaf upwards.

    `ConflictError` when the tree has not that many leaves, `BadInputError` for an index outside.
    """
    _check_size(conn, size)
    return _proof(conn, inclusion_ranges(index, size))


def consistency(conn: Connection, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `first` begins the tree of `second`; `first` is at least 1.

    `ConflictError` when the tree has not that many leaves, `BadInputError` when `first` is larger.
    """
    _check_size(conn, second)
    return _proof(conn, consistency_ranges(first, second))


def _proof(conn: Connection, ranges: Sequence[Range]) -> list[bytes]:
    wanted = sorted(tiles.tiles_of(ranges))
    stored: dict[tiles.Tile, bytes] = {}
    if wanted:
        keys = tuple_(audit_tiles.c.level, audit_tiles.c.position)
        rows = conn.execute(select(audit_tiles).where(keys.in_(wanted)))
        stored = {(row.level, row.position): row.hashes for row in rows}
    return proof(ranges, lambda node: tiles.node_in(stored, node))


def _check_size(conn: Connection, size: int) -> None:
    there = tree_size(conn)
    if size > there:
        raise ConflictError(f"the log has {there} leaves, not yet {size}")
