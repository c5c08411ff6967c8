"""From a policy to a taproot output: a key that spends alone, and a tree of scripts beside it.

The ways of the policy become leaves; the likelier a way, the shorter its path in the tree
(Huffman), since each level costs 32 bytes of witness.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import TypeAlias

from shared.bitcoin.miniscript import Context, Miniscript
from shared.bitcoin.policy.compiler import compile_policy, spread
from shared.bitcoin.policy.language import Key, Policy
from shared.bitcoin.taproot import UNSPENDABLE_KEY

MiniscriptTree: TypeAlias = "Miniscript | tuple[MiniscriptTree, MiniscriptTree]"
"""Leaves, and pairs of trees."""


class InternalKey(Enum):
    """Where the internal key comes from, when it is not named."""

    LIKELIEST = "the likeliest way that is one key alone, else none"
    NOBODY = "BIP341's point without a secret: only scripts spend"


@dataclass(frozen=True, slots=True)
class TaprootCompilation:
    """An internal key (None: nobody's) and the tree of scripts, if any is left."""

    internal_key: str | None
    tree: "MiniscriptTree | None"

    @property
    def leaves(self) -> tuple[Miniscript, ...]:
        """The scripts from left to right."""
        return () if self.tree is None else tuple(_leaves(self.tree))

    def __str__(self) -> str:
        """The descriptor, without checksum."""
        key = UNSPENDABLE_KEY.hex() if self.internal_key is None else self.internal_key
        return f"tr({key})" if self.tree is None else f"tr({key},{_text(self.tree)})"


def compile_taproot(
    policy: Policy, internal: InternalKey | str = InternalKey.LIKELIEST
) -> TaprootCompilation:
    """The output that means the policy.

    `internal` may name a key expression: that key then spends alone, whether the policy says so or
    not (a MuSig2 aggregate of all who have to agree, for instance). MiniscriptError where a way of
    the policy has no sane script.
    """
    ways = list(spread(policy, 1.0))
    key = internal if isinstance(internal, str) else None
    if internal is InternalKey.LIKELIEST:
        alone = [(share, way.name) for share, way in ways if isinstance(way, Key)]
        key = max(alone, key=lambda one: one[0])[1] if alone else None
    leaves = [
        (share, compile_policy(way, Context.TAPSCRIPT))
        for share, way in ways
        if key is None or way != Key(key)
    ]
    return TaprootCompilation(key, _huffman(leaves) if leaves else None)


def _huffman(leaves: list[tuple[float, Miniscript]]) -> MiniscriptTree:
    order = count()  # equal shares keep the order of the policy
    heap: list[tuple[float, int, MiniscriptTree]] = [
        (share, next(order), leaf) for share, leaf in leaves
    ]
    heapq.heapify(heap)
    while len(heap) > 1:
        first_share, _, first = heapq.heappop(heap)
        second_share, _, second = heapq.heappop(heap)
        heapq.heappush(heap, (first_share + second_share, next(order), (first, second)))
    return heap[0][2]


def _leaves(tree: MiniscriptTree) -> Iterator[Miniscript]:
    if isinstance(tree, Miniscript):
        yield tree
    else:
        for part in tree:
            yield from _leaves(part)


def _text(tree: MiniscriptTree) -> str:
    if isinstance(tree, Miniscript):
        return tree.text
    return f"{{{_text(tree[0])},{_text(tree[1])}}}"
