"""Tiles: where a node lies, what appending writes, and tiles that are not the tree's."""

import pytest

from controller.audit.tiles import TileError, border, grow, node_in, root_of, tile_of, tiles_of
from shared.merkle import inclusion_ranges, leaf_hash
from tests import naive_tree

LEAVES = [f"leaf {number}".encode() for number in range(600)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def test_a_node_lies_in_the_tile_of_the_level_below_it() -> None:
    assert tile_of((0, 255)) == (0, 0)
    assert tile_of((0, 256)) == (0, 1)
    assert tile_of((7, 1)) == (0, 0)
    assert tile_of((7, 2)) == (0, 1)
    assert tile_of((8, 0)) == (1, 0)
    assert tile_of((16, 300)) == (2, 1)


def test_the_border_is_the_tiles_that_are_not_full() -> None:
    assert border(0) == []
    assert border(255) == [(0, 0)]
    assert border(256) == [(1, 0)]
    assert border(257) == [(0, 1), (1, 0)]
    assert border(65_536) == [(2, 0)]
    assert border(1_000_000) == [(0, 3_906), (1, 15), (2, 0)]


def test_appending_writes_no_full_tile_again() -> None:
    first = grow(0, {}, HASHES[:300])
    second = grow(300, first.tiles, HASHES[300:])
    assert set(first.tiles) == {(0, 0), (0, 1), (1, 0)}
    assert set(second.tiles) == {(0, 1), (0, 2), (1, 0)}
    assert second.head.root == naive_tree.root(LEAVES)


def test_every_node_is_the_root_of_its_leaves() -> None:
    tiles = grow(0, {}, HASHES).tiles
    for level in range(10):
        for index in range(len(LEAVES) >> level):
            part = LEAVES[index << level : (index + 1) << level]
            assert node_in(tiles, (level, index)) == naive_tree.root(part)


def test_a_proof_among_a_million_reads_a_handful_of_tiles() -> None:
    for index in (0, 1, 499_999, 999_999):
        assert len(tiles_of(inclusion_ranges(index, 1_000_000))) <= 6


def test_a_missing_or_short_tile_is_told() -> None:
    tiles = dict(grow(0, {}, HASHES).tiles)
    with pytest.raises(TileError, match="tile 2 of level 0"):
        root_of(600, {tile: body for tile, body in tiles.items() if tile != (0, 2)})
    with pytest.raises(TileError, match="tile 2 of level 0"):
        root_of(600, {**tiles, (0, 2): tiles[0, 2][:-32]})
    with pytest.raises(TileError, match="tile 2 of level 0 does not have"):
        grow(600, {**tiles, (0, 2): tiles[0, 2][:-32]}, HASHES[:1])
