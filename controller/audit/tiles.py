"""How the tree's nodes are kept: tiles of 256 hashes, one every eighth level. Pure.

Tile `(level, position)` holds the nodes of tree level `8 * level` from index `256 * position` on,
fewer than 256 while it is at the right border. The nodes between those levels are computed from a
tile (at most 255 hashes), so a proof among a million leaves reads some six tiles and appending
writes only the tiles at the border.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.merkle import HASH_BYTES, Head, Node, Range, cover, fold, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
_FULL = WIDTH * HASH_BYTES

Tile = tuple[int, int]
"""Level and position of a tile."""
Tiles = Mapping[Tile, bytes]


class TileError(Exception):
    """The stored tiles are not those of the tree."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What appending came to: the new head, and the tiles to be written."""

    head: Head
    tiles: Tiles


def tile_of(node: Node) -> Tile:
    """The tile that a node is computed from."""
    level, index = node
    return level // HEIGHT, (index << level % HEIGHT) // WIDTH


def tiles_of(ranges: Iterable[Range]) -> set[Tile]:
    """The tiles from which the roots over these leaves are computed."""
    return {tile_of(node) for span in ranges for node in cover(*span)}


def node_in(tiles: Tiles, node: Node) -> bytes:
    """The hash of a node; `TileError` when its tile is missing or too short."""
    level, index = node
    tile = tile_of(node)
    width = 1 << level % HEIGHT
    first = (index * width) % WIDTH
    body = tiles.get(tile, b"")
    if len(body) < (first + width) * HASH_BYTES:
        raise TileError(f"tile {tile[1]} of level {tile[0]} is missing or too short")
    hashes = [
        body[at : at + HASH_BYTES]
        for at in range(first * HASH_BYTES, (first + width) * HASH_BYTES, HASH_BYTES)
    ]
    return _perfect_root(hashes)


def border(size: int) -> list[Tile]:
    """The tiles at the right border of a tree of `size` that are not full."""
    found = []
    level, nodes = 0, size
    while nodes:
        if nodes % WIDTH:
            found.append((level, nodes // WIDTH))
        level, nodes = level + 1, nodes // WIDTH
    return found


def root_of(size: int, tiles: Tiles) -> bytes:
    """The root of a tree of `size` from its border; `TileError` when a tile is missing."""
    return fold([node_in(tiles, node) for node in cover(0, size)])


def grow(size: int, tiles: Tiles, leaves: Sequence[bytes]) -> Growth:
    """Appends leaves (their hashes) to a tree of `size` whose border is `tiles`."""
    kept = {tile: tiles[tile] for tile in border(size)}
    written: dict[Tile, bytes] = {}
    level, nodes, incoming = 0, size, list(leaves)
    while incoming:
        following: list[bytes] = []
        while incoming:
            position, there = divmod(nodes, WIDTH)
            taken = incoming[: WIDTH - there]
            del incoming[: len(taken)]
            body = kept.get((level, position), b"") + b"".join(taken)
            if len(body) != (there + len(taken)) * HASH_BYTES:
                raise TileError(f"tile {position} of level {level} does not have {there} hashes")
            written[level, position] = body
            nodes += len(taken)
            if len(body) == _FULL:
                at = range(0, _FULL, HASH_BYTES)
                following.append(_perfect_root([body[i : i + HASH_BYTES] for i in at]))
        incoming, level, nodes = following, level + 1, size >> HEIGHT * (level + 1)
    total = size + len(leaves)
    return Growth(Head(total, root_of(total, {**kept, **written})), written)


def _perfect_root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
