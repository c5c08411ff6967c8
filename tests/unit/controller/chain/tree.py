"""A tree of regtest blocks with real work but without validation, and a node that shows it."""

import itertools
from collections.abc import Sequence

from controller.chain.blocks import Block, BlockHeader, Coin
from controller.chain.embedded.miner import Place, assemble
from controller.chain.errors import BlockNotFoundError, PrunedError
from controller.chain.follower.facts import Fact, Owned, facts_of
from controller.chain.values import GENESIS, BlockAt, BlockRef, HeaderAt, NodeFacts
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, Transaction, display

_GENESIS_HEADER = BlockHeader(
    version=1,
    previous=bytes(32),
    merkle_root=bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")[
        ::-1
    ],
    time_s=1_296_688_602,
    bits=0x207FFFFF,
    nonce=2,
)


class Tree:
    """Blocks by id, and which one the node says is best: a backend as far as a follower asks."""

    def __init__(self) -> None:
        self.network = Network.REGTEST
        self.shown_network = Network.REGTEST
        self.shown_genesis = GENESIS[Network.REGTEST]
        self.lowest_height = 0
        self.blocks_asked = 0
        genesis = BlockAt(0, _GENESIS_HEADER, (), ((),))
        self.genesis = _GENESIS_HEADER.block_hash
        self._blocks = {self.genesis: genesis}
        self._numbers = itertools.count()
        self._best = [self.genesis]

    def extend(
        self, parent: bytes, payout: bytes, transactions: Sequence[Transaction] = ()
    ) -> bytes:
        """A new block on any other; the node does not show it yet."""
        at = self._blocks[parent]
        place = Place(parent, at.height + 1, at.header.time_s + 600)
        extra = next(self._numbers).to_bytes(4, "big")
        block = assemble(place, payout, transactions, 0, extra)
        self._blocks[block.block_hash] = BlockAt(
            at.height + 1, block.header, block.transactions, None
        )
        return block.block_hash

    def grow(self, parent: bytes, length: int, payout: bytes) -> bytes:
        """A branch of so many blocks; returns its end."""
        for _ in range(length):
            parent = self.extend(parent, payout)
        return parent

    def show(self, block_hash: bytes) -> None:
        """The node's best chain ends with this block from now on."""
        self._best = self.path(block_hash)

    def path(self, block_hash: bytes) -> list[bytes]:
        """The ids from the first block to this one."""
        path = []
        while True:
            path.append(block_hash)
            at = self._blocks[block_hash]
            if at.height == 0:
                return path[::-1]
            block_hash = at.header.previous

    def best_at(self, height: int) -> bytes:
        return self._best[height]

    def coinbase(self, block_hash: bytes) -> Transaction:
        return self._blocks[block_hash].transactions[0]

    def replace(self, block_hash: bytes, block: Block) -> None:
        """Lies: gives another block for an id."""
        height = self._blocks[block_hash].height
        self._blocks[block_hash] = BlockAt(height, block.header, block.transactions, None)

    def forget(self, block_hash: bytes) -> None:
        """The node has never heard of this block."""
        del self._blocks[block_hash]

    def facts_of_best(self, watched: set[bytes], above: int = 0) -> list[Fact]:
        """What the best chain says by itself, read from front to back."""
        owned: dict[OutPoint, Owned] = {}
        facts: list[Fact] = []
        for block_hash in self._best[above + 1 :]:
            found = facts_of(self._blocks[block_hash], watched.__contains__, owned.get)
            facts.extend(found)
            owned |= {
                one.outpoint: Owned(one.script_pubkey, one.amount_sat, one.is_coinbase)
                for one in found
            }
        return facts

    # What a follower asks of a backend.

    def genesis_hash(self) -> bytes:
        return self.shown_genesis

    def facts(self) -> NodeFacts:
        return NodeFacts(
            "a tree", 290_000, self.shown_network, 1_000, 1_000, 1_000, False, self.lowest_height
        )

    def tip(self) -> BlockRef:
        return BlockRef(len(self._best) - 1, self._best[-1])

    def header_at(self, height: int) -> HeaderAt:
        if not 0 <= height < len(self._best):
            raise BlockNotFoundError(f"at height {height}")
        return HeaderAt(height, self._blocks[self._best[height]].header)

    def header(self, block_hash: bytes) -> HeaderAt:
        at = self._known(block_hash)
        return HeaderAt(at.height, at.header)

    def block(self, block_hash: bytes) -> BlockAt:
        self.blocks_asked += 1
        at = self._known(block_hash)
        if at.height < self.lowest_height:
            raise PrunedError(at.height, self.lowest_height)
        return at

    def spent(self, block_hash: bytes) -> tuple[tuple[Coin, ...], ...] | None:
        return self._known(block_hash).spent

    def _known(self, block_hash: bytes) -> BlockAt:
        try:
            return self._blocks[block_hash]
        except KeyError:
            raise BlockNotFoundError(display(block_hash)) from None
