"""Merkle trees after RFC 6962 section 2.1 (RFC 9162 section 2.1): hashes, proofs, verification.

A tree of `size` leaves is read through its perfect nodes: node `(level, index)` is the root of the
`2**level` leaves from `index * 2**level` on. What stores them answers for the nodes that a plan
names (`inclusion_ranges`, `consistency_ranges`, `cover`); nothing here knows how. Indexes count
from 0, hashes are 32 bytes of SHA-256. No I/O, no clock.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.errors import BadInputError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = tuple[int, int]
"""Level and index of a perfect node."""
Range = tuple[int, int]
"""Leaves [begin, end)."""
NodeSource = Callable[[Node], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes; the prefix keeps it apart from every inner node's."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over adjoining perfect nodes, left to right as `cover` names them."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def cover(begin: int, end: int) -> list[Node]:
    """The fewest perfect nodes over leaves [begin, end), left to right.

    `begin` is a multiple of the first (largest) node's width, as it is for every subtree of a
    tree.
    """
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose roots prove leaf `index` in a tree of `size`, from the leaf upwards."""
    _check("index", index, 0, size - 1)
    path: list[Range] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin = middle
    return path[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """The subtrees whose roots prove that the tree of `first` begins the tree of `second`.

    `first` is at least 1; equal sizes need no proof.
    """
    _check("first", first, 1, second)
    path: list[Range] = []
    begin, end, is_whole = 0, second, True
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((begin, middle))
            begin, is_whole = middle, False
    if not is_whole:
        path.append((begin, end))
    return path[::-1]


def proof(ranges: Iterable[Range], node: NodeSource) -> list[bytes]:
    """The roots of the subtrees over `ranges`."""
    return [fold([node(one) for one in cover(*span)]) for span in ranges]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the proof leads to (RFC 9162 section 2.1.3.2); None: it does not fit."""
    if not 0 <= index < size or any(len(one) != HASH_BYTES for one in path):
        return None
    place, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(sibling, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        place, last = place >> 1, last >> 1
    return root if last == 0 else None


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (its hash) stands at `index` in the tree of `size` with `root`."""
    return root_from_inclusion(leaf, index, size, path) == root


@dataclass(frozen=True, slots=True)
class Head:
    """A tree's size and root."""

    size: int
    root: bytes


def is_consistent(first: Head, second: Head, path: Sequence[bytes]) -> bool:
    """Whether the proof shows that `first` begins `second` (RFC 9162 section 2.1.4.2)."""
    if not 0 <= first.size <= second.size or any(len(one) != HASH_BYTES for one in path):
        return False
    if first.size == second.size:
        return not path and first.root == second.root
    if first.size == 0:
        return not path and first.root == EMPTY_ROOT
    hashes = list(path)
    if first.size & (first.size - 1) == 0:  # a perfect tree: its root is known already
        hashes.insert(0, first.root)
    return bool(hashes) and _roots(first.size, second.size, hashes) == (first.root, second.root)


def _roots(first: int, second: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots of both trees that the proof leads to; None: it does not fit."""
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


class Frontier:
    """A tree that only grows, in memory that grows with its logarithm (a compact range)."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Adds a leaf by its hash."""
        nodes, carry = self._nodes, self.size
        while carry & 1:
            leaf = node_hash(nodes.pop(), leaf)
            carry >>= 1
        nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of what was added."""
        return fold(self._nodes)


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _check(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        allowed = f"from {low} to {high}" if low <= high else "nothing in an empty tree"
        raise BadInputError(field, str(value), allowed)
