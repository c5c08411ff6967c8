"""Merkle trees: the values of the Certificate Transparency reference tests, and bad questions."""

import pytest

from shared.errors import BadInputError
from shared.merkle import (
    EMPTY_ROOT,
    Frontier,
    Head,
    Node,
    consistency_ranges,
    cover,
    fold,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    proof,
)
from tests import naive_tree

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def node(one: Node) -> bytes:
    level, index = one
    return naive_tree.root(LEAVES[index << level : (index + 1) << level])


def head(size: int) -> Head:
    return Head(size, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_the_first_leaves_is_the_published_one(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf_hash(leaf))
    assert frontier.root().hex() == ROOTS[size]
    assert fold([node(one) for one in cover(0, size)]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_an_inclusion_proof_is_the_published_one(index: int, size: int) -> None:
    path = proof(inclusion_ranges(index, size), node)
    assert [one.hex() for one in path] == PATHS[index, size]
    assert is_included(leaf_hash(LEAVES[index]), index, size, path, head(size).root)


@pytest.mark.parametrize(("first", "second"), CONSISTENCIES)
def test_a_consistency_proof_is_the_published_one(first: int, second: int) -> None:
    path = proof(consistency_ranges(first, second), node)
    assert [one.hex() for one in path] == CONSISTENCIES[first, second]
    assert is_consistent(head(first), head(second), path)


def test_an_empty_tree_has_the_hash_of_nothing_and_begins_every_tree() -> None:
    assert Frontier().root() == EMPTY_ROOT == fold([])
    assert is_consistent(head(0), head(5), [])
    assert not is_consistent(Head(0, bytes(32)), head(5), [])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(BadInputError, match="index"):
        inclusion_ranges(index, size)
    assert not is_included(leaf_hash(b""), index, size, [], head(1).root)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_that_cannot_begin_the_other_has_no_proof(first: int, second: int) -> None:
    with pytest.raises(BadInputError, match="first"):
        consistency_ranges(first, second)


def test_a_larger_tree_begins_no_smaller_one() -> None:
    assert not is_consistent(head(5), head(3), [])


def test_a_proof_with_a_hash_of_another_length_is_refused() -> None:
    path = proof(inclusion_ranges(1, 8), node)
    assert not is_included(leaf_hash(LEAVES[1]), 1, 8, [path[0][:31], *path[1:]], head(8).root)
    steps = proof(consistency_ranges(6, 8), node)
    assert not is_consistent(head(6), head(8), [steps[0] + b"\0", *steps[1:]])
