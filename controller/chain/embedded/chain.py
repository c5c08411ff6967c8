"""The embedded regtest chain as a `ChainBackend`, and as the miner of its blocks."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from controller.chain.backend import accepted, accepted_package, as_accepted_if_there
from controller.chain.blocks import Block, Coin
from controller.chain.embedded.index import ChainIndex
from controller.chain.embedded.journal import Journal
from controller.chain.embedded.kernel import Kernel
from controller.chain.embedded.miner import Place, assemble, select
from controller.chain.embedded.transactions import Mempool
from controller.chain.embedded.views import estimate, pool_entry
from controller.chain.errors import BlockNotFoundError, ChainError, MiningError
from controller.chain.fees import check_target
from controller.chain.mempool.policy import CORE_29_0, Policy
from controller.chain.values import (
    GENESIS,
    BlockAt,
    BlockRef,
    FeeEstimate,
    HeaderAt,
    NodeFacts,
    PackageVerdict,
    PoolEntry,
    Unspent,
    Verdict,
)
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, Transaction, display
from shared.errors import BadInputError

log = structlog.get_logger(__name__)

_ANYONE = bytes((0x51,))  # OP_1: for blocks whose reward nobody needs
_BLOCKS_KEPT = 256


def _real_time_s() -> int:
    return int(time.time())


class EmbeddedChain:
    """A regtest chain of this process; `folder` None keeps it in memory only.

    Block times are real (`now_s`), since the engine refuses blocks more than two hours ahead of
    the host's clock; each is after the median of the eleven before it. `on_block` is called by the
    thread that mined, once its blocks are written down. All calls are thread-safe.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        policy: Policy = CORE_29_0,
        now_s: Callable[[], int] = _real_time_s,
        on_block: Callable[[], None] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._now_s = now_s
        self._on_block = on_block
        self._journal = None if folder is None else Journal(folder)
        self._kernel = Kernel()
        genesis = GENESIS[Network.REGTEST]
        self._index = ChainIndex(self._kernel.header(genesis)[1])
        self._mempool = Mempool(self._index, policy, now_s)
        self._recent: dict[bytes, Block] = {}
        if self._journal is not None:
            self._replay(self._journal)

    def close(self) -> None:
        """Saves the mempool and lets go of the folder."""
        with self._lock:
            if self._journal is not None:
                self._journal.save_pool([one.transaction for one in self._mempool.pool])
                self._journal.close()
            self._kernel.close()

    # What a backend answers.

    @property
    def network(self) -> Network:
        """Regtest, always."""
        return Network.REGTEST

    def genesis_hash(self) -> bytes:
        """See `ChainBackend`."""
        with self._lock:
            return self._index.hash_at(0)

    def facts(self) -> NodeFacts:
        """See `ChainBackend`."""
        policy = self._mempool.policy
        return NodeFacts(
            software=f"embedded chain with the mempool rules of {policy.release}",
            version=policy.version,
            network=Network.REGTEST,
            min_relay_sat_per_kvb=policy.min_relay_sat_per_kvb,
            incremental_relay_sat_per_kvb=policy.incremental_relay_sat_per_kvb,
            mempool_min_sat_per_kvb=policy.min_relay_sat_per_kvb,
            is_pruned=False,
            lowest_block_height=0,
        )

    def tip(self) -> BlockRef:
        """See `ChainBackend`."""
        with self._lock:
            return BlockRef(self._index.tip_height, self._index.tip_hash)

    def header_at(self, height: int) -> HeaderAt:
        """See `ChainBackend`."""
        with self._lock:
            if not 0 <= height <= self._index.tip_height:
                raise BlockNotFoundError(f"at height {height}")
            return HeaderAt(height, self._index.header_at(height))

    def header(self, block_hash: bytes) -> HeaderAt:
        """See `ChainBackend`."""
        with self._lock:
            return HeaderAt(*self._kernel.header(block_hash))

    def block(self, block_hash: bytes) -> BlockAt:
        """See `ChainBackend`."""
        with self._lock:
            height, block = self._kernel.block(block_hash)
            spent = self._kernel.spent(block_hash)
            return BlockAt(height, block.header, block.transactions, spent)

    def unspent(self, outpoint: OutPoint, *, with_mempool: bool) -> Unspent | None:
        """See `ChainBackend`."""
        with self._lock:
            pool, best = self._mempool.pool, self._index.tip_hash
            if with_mempool and pool.spender(outpoint) is not None:
                return None
            coin = self._index.coin(outpoint)
            if coin is not None:
                return Unspent(coin.output, coin.height, coin.is_coinbase, best)
            entry = pool.get(outpoint.txid) if with_mempool else None
            if entry is None or outpoint.vout >= len(entry.transaction.outputs):
                return None
            output = entry.transaction.outputs[outpoint.vout]
            return Unspent(output, None, is_coinbase=False, best_block=best)

    def test_accept(self, transaction: Transaction) -> Verdict:
        """See `ChainBackend`."""
        with self._lock:
            return as_accepted_if_there(self._mempool.submit(transaction, is_test=True))

    def test_accept_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """See `ChainBackend`; never undetermined here."""
        with self._lock:
            return self._mempool.submit_package(parent, child, is_test=True)

    def broadcast(self, transaction: Transaction) -> Verdict:
        """See `ChainBackend`."""
        with self._lock:
            verdict = self._mempool.submit(transaction, is_test=False)
            return accepted(as_accepted_if_there(verdict))

    def broadcast_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """See `ChainBackend`."""
        with self._lock:
            return accepted_package(self._mempool.submit_package(parent, child, is_test=False))

    def pool_txids(self) -> frozenset[bytes]:
        """See `ChainBackend`."""
        with self._lock:
            return frozenset(one.txid for one in self._mempool.pool)

    def pool_entry(self, txid: bytes) -> PoolEntry | None:
        """See `ChainBackend`."""
        with self._lock:
            return pool_entry(self._mempool.pool, txid)

    def pool_transaction(self, txid: bytes) -> Transaction | None:
        """See `ChainBackend`."""
        with self._lock:
            entry = self._mempool.pool.get(txid)
            return None if entry is None else entry.transaction

    def pool_ancestors(self, txid: bytes) -> frozenset[bytes] | None:
        """See `ChainBackend`."""
        with self._lock:
            pool = self._mempool.pool
            return pool.ancestors(txid) if txid in pool else None

    def fee_estimate(self, target_blocks: int) -> FeeEstimate:
        """The feerate that the mempool, mined best first, includes within the target.

        There is no history of a market to learn from here, as a node has.
        """
        check_target(target_blocks)
        with self._lock:
            pool, policy = self._mempool.pool, self._mempool.policy
            return estimate(pool, target_blocks, policy.min_relay_sat_per_kvb)

    # What a miner does.

    def mine(self, count: int = 1, script_pubkey: bytes = _ANYONE) -> list[BlockRef]:
        """Mines blocks on the tip with what the mempool has, and pays them to the script."""
        with self._lock:
            blocks: list[Block] = []
            with self._written(blocks):
                blocks.extend(self._mine_one(script_pubkey) for _ in range(count))
            first = self._index.tip_height - count + 1
            return [BlockRef(first + at, one.block_hash) for at, one in enumerate(blocks)]

    def mine_with(
        self, transactions: Sequence[Transaction], script_pubkey: bytes = _ANYONE
    ) -> BlockRef:
        """Mines one block on the tip of exactly these, whatever the policy says of them.

        Their fees are left to nobody. `MiningError` where the engine refuses the block.
        """
        with self._lock:
            tip = self.tip()
            block = self._assembled(tip.block_hash, tip.height, script_pubkey, transactions)
            with self._written([block]):
                self._take(block)
                return self._must_be_tip(block)

    def reorganise(
        self,
        fork_height: int,
        length: int,
        script_pubkey: bytes = _ANYONE,
        transactions: Sequence[Sequence[Transaction]] = (),
    ) -> BlockRef:
        """Mines a branch of `length` blocks on the best chain's block at `fork_height`.

        `transactions` are those of its first blocks. The tip moves when the branch is the longer
        one; `MiningError` where the engine refuses a block then.
        """
        with self._lock:
            old = self.tip()
            if not 0 <= fork_height <= old.height:
                raise BadInputError("fork_height", str(fork_height), f"from 0 to {old.height}")
            parent, blocks = self._index.hash_at(fork_height), list[Block]()
            with self._written(blocks):
                for step in range(length):
                    chosen = transactions[step] if step < len(transactions) else ()
                    block = self._assembled(parent, fork_height + step, script_pubkey, chosen)
                    self._take(block)
                    blocks.append(block)
                    parent = block.block_hash
            if blocks and fork_height + length > old.height:
                return self._must_be_tip(blocks[-1])
            return self.tip()

    def _mine_one(self, script_pubkey: bytes) -> Block:
        entries = select(self._mempool.pool)
        chosen = [one.transaction for one in entries]
        tip = self.tip()
        fees_sat = sum(one.fee_sat for one in entries)
        block = self._assembled(tip.block_hash, tip.height, script_pubkey, chosen, fees_sat)
        self._take(block)
        self._must_be_tip(block)
        return block

    def _assembled(
        self,
        parent: bytes,
        parent_height: int,
        script_pubkey: bytes,
        transactions: Sequence[Transaction],
        fees_sat: int = 0,
    ) -> Block:
        time_s = max(self._median_time_s(parent) + 1, self._now_s())
        place = Place(parent, parent_height + 1, time_s)
        return assemble(place, script_pubkey, transactions, fees_sat, secrets.token_bytes(8))

    def _median_time_s(self, block_hash: bytes) -> int:
        """On any branch: up to where it leaves the best chain from the engine's headers."""
        height = self._index.height_of(block_hash)
        if height is not None:
            return self._index.median_time_s(height)
        times: list[int] = []
        while len(times) < 11:
            at, header = self._kernel.header(block_hash)
            times.append(header.time_s)
            if at == 0:
                break
            block_hash = header.previous
        return sorted(times)[len(times) // 2]

    def _must_be_tip(self, block: Block) -> BlockRef:
        tip = self.tip()
        if tip.block_hash != block.block_hash:
            raise MiningError(f"block {block.hex} was refused: the tip is still {tip.hex}")
        return tip

    # How the index and the mempool follow the engine.

    @contextmanager
    def _written(self, blocks: Sequence[Block]) -> Iterator[None]:
        """Writes down what was mined inside, before anybody is told: the lock is still held.

        What the engine knows of them is written even if a later one was refused.
        """
        try:
            yield
        finally:
            known = [one for one in blocks if self._kernel.knows(one.block_hash)]
            if self._journal is not None:
                self._journal.append(known)
            if self._on_block is not None:
                self._on_block()

    def _take(self, block: Block) -> None:
        self._recent[block.block_hash] = block
        if len(self._recent) > _BLOCKS_KEPT:
            del self._recent[next(iter(self._recent))]
        self._kernel.process(block)
        self._follow()

    def _follow(self) -> None:
        """Disconnects and connects until the index is where the engine is."""
        height = self._kernel.height
        fork = min(height, self._index.tip_height)
        while self._kernel.hash_at(fork) != self._index.hash_at(fork):
            fork -= 1
        disconnected: list[Transaction] = []
        is_reorganisation = self._index.tip_height > fork
        while self._index.tip_height > fork:
            block = self._known(self._index.tip_hash)
            self._index.disconnect(block, self._undo(block))
            disconnected[:0] = block.transactions[1:]
        for at in range(fork + 1, height + 1):
            block = self._known(self._kernel.hash_at(at))
            self._index.connect(block)
            self._mempool.on_connected(block)
        if is_reorganisation:
            self._mempool.on_reorganised(disconnected)

    def _known(self, block_hash: bytes) -> Block:
        found = self._recent.get(block_hash)
        return self._kernel.block(block_hash)[1] if found is None else found

    def _undo(self, block: Block) -> tuple[tuple[Coin, ...], ...]:
        spent = self._kernel.spent(block.block_hash)
        if spent is None:
            raise ChainError(f"the engine has no undo data of block {block.hex}")
        return spent

    def _replay(self, journal: Journal) -> None:
        for block in journal.blocks():
            try:
                self._take(block)
            except MiningError as error:  # refused then as now
                log.info("A block of the journal is refused", problem=str(error))
        for transaction in journal.load_pool():
            verdict = self._mempool.submit(transaction, is_test=False)
            if verdict.reason is not None:
                txid = display(verdict.txid)
                log.info("A kept transaction is refused", txid=txid, reason=verdict.reason)
