"""Proofs of any tree are those of the recursive definition, and no other proof is taken."""

import hypothesis.strategies as st
from hypothesis import given, settings

from shared.merkle import (
    Frontier,
    Head,
    Node,
    NodeSource,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    proof,
)
from tests import naive_tree

sizes = st.integers(1, 70)


def made(size: int) -> list[bytes]:
    return [f"leaf {number}".encode() for number in range(size)]


def nodes_of(leaves: list[bytes]) -> NodeSource:
    def node(one: Node) -> bytes:
        level, index = one
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only perfect nodes are asked for"
        return naive_tree.root(part)

    return node


@given(sizes, st.data())
def test_an_inclusion_proof_is_the_recursive_one_and_proves_that_leaf_alone(
    size: int, data: st.DataObject
) -> None:
    leaves = made(size)
    index = data.draw(st.integers(0, size - 1))
    path = proof(inclusion_ranges(index, size), nodes_of(leaves))
    root = naive_tree.root(leaves)
    assert path == naive_tree.path(index, leaves)
    assert is_included(leaf_hash(leaves[index]), index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda at: at != index or size == 1))
    if other != index:
        assert not is_included(leaf_hash(leaves[other]), index, size, path, root)
        assert not is_included(leaf_hash(leaves[index]), other, size, path, root)


@given(sizes, st.data())
def test_a_consistency_proof_is_the_recursive_one(size: int, data: st.DataObject) -> None:
    leaves = made(size)
    first = data.draw(st.integers(1, size))
    path = proof(consistency_ranges(first, size), nodes_of(leaves))
    assert path == naive_tree.consistency(first, leaves)
    old = Head(first, naive_tree.root(leaves[:first]))
    assert is_consistent(old, Head(size, naive_tree.root(leaves)), path)


@given(sizes, st.data())
def test_a_proof_that_was_changed_in_any_way_is_refused(size: int, data: st.DataObject) -> None:
    leaves = made(size)
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(1, size))
    root = naive_tree.root(leaves)
    path = changed(naive_tree.path(index, leaves), data)
    assert not is_included(leaf_hash(leaves[index]), index, size, path, root)
    steps = changed(naive_tree.consistency(first, leaves), data)
    old = Head(first, naive_tree.root(leaves[:first]))
    assert not is_consistent(old, Head(size, root), steps)


def changed(path: list[bytes], data: st.DataObject) -> list[bytes]:
    ways = ["lengthened"] if not path else ["lengthened", "shortened", "a bit"]
    way = data.draw(st.sampled_from(ways))
    at = data.draw(st.integers(0, max(0, len(path) - 1)))
    if way == "lengthened":
        return [*path[:at], bytes(32), *path[at:]]
    if way == "shortened":
        return [*path[:at], *path[at + 1 :]]
    flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
    return [*path[:at], flipped, *path[at + 1 :]]


@given(sizes, st.data())
def test_a_tree_with_another_history_is_not_consistent(size: int, data: st.DataObject) -> None:
    leaves = made(size)
    first = data.draw(st.integers(1, size))
    at = data.draw(st.integers(0, first - 1))
    forked = [*leaves[:at], b"other", *leaves[at + 1 :]]
    old = Head(first, naive_tree.root(leaves[:first]))
    new = Head(size, naive_tree.root(forked))
    for path in (naive_tree.consistency(first, leaves), naive_tree.consistency(first, forked)):
        assert not is_consistent(old, new, path)


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=40), max_size=300))
def test_a_frontier_has_the_root_at_every_size(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for size, leaf in enumerate(leaves, start=1):
        frontier.append(leaf_hash(leaf))
        assert frontier.size == size
        if size % 37 == 0 or size == len(leaves):
            assert frontier.root() == naive_tree.root(leaves[:size])
