"""One transaction a block: its row, its facts, and what the listeners make of them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from controller.chain.backend import ChainBackend
from controller.chain.blocks import Block, has_own_merkle_root
from controller.chain.errors import UntrustworthyNodeError
from controller.chain.follower import store
from controller.chain.follower.facts import Fact, Owned, facts_of
from controller.chain.follower.listeners import BlockDisconnected, BlockListener, BlockSeen
from controller.chain.values import BlockAt, BlockRef, HeaderAt
from controller.storage.engine import Storage
from shared.bitcoin.transaction import OutPoint


class Commits:
    """Commits blocks in order, as long as nobody else changed the rows since `begin`."""

    def __init__(self, storage: Storage, listeners: Sequence[BlockListener], depth: int) -> None:
        self._storage = storage
        self._listeners = listeners
        self._depth = depth
        self._version = 0
        self._start_height = 0
        self._watched: set[bytes] = set()
        self._last_watch = 0

    def begin(self, row: store.StateRow) -> None:
        """Takes the row as it was read: its version, and where facts begin."""
        self._version = row.version
        self._start_height = row.start_height

    def connect(self, backend: ChainBackend, at: HeaderAt) -> bool:
        """Fetches the block and commits it; False if another follower was faster."""
        block = fetched(backend, at)
        try:
            with self._storage.write() as conn:
                if not self._advance(conn):
                    return False
                store.put_block(conn, at, self._depth)
                if at.height > self._start_height:
                    self._tell(conn, block)
        except Exception:
            self._watched.clear()  # a watch of the transaction rolled back is none
            self._last_watch = 0
            raise
        self._version += 1
        return True

    def _tell(self, conn: Connection, block: BlockAt) -> None:
        """Commits and tells the facts, again while listeners watch more on account of them.

        A wallet whose first address is paid watches the next ones, and the same block may pay
        those too.
        """
        told: tuple[Fact, ...] = ()
        is_first = True
        while self._read_watches(conn) or is_first:
            facts = found_facts(conn, block, self._watched)
            missing = tuple(one for one in facts if one not in told)
            if is_first or missing:
                store.put_facts(conn, missing)
                seen = BlockSeen.of(block, missing, is_rescan=not is_first)
                for listener in self._listeners:
                    listener.connected(conn, seen)
            told, is_first = facts, False

    def disconnect(self, ref: BlockRef) -> bool:
        """Takes a block back; False if another follower was faster."""
        with self._storage.write() as conn:
            if not self._advance(conn):
                return False
            header = store.drop_block(conn, ref.height)
            if ref.height > self._start_height:
                self._take_back(conn, ref, header.previous)
        self._version += 1
        return True

    def cut_back(self, blocks: Sequence[HeaderAt], undone: Sequence[HeaderAt]) -> None:
        """Takes back every block above the last of `blocks`, and goes on from there.

        `undone` are those blocks as far as they are known, newest first; of older ones the facts
        are taken back.
        """
        with self._storage.write() as conn:
            row = store.read_state(conn, locked=True)
            if row is not None:
                store.advance_version(conn, row.version)
                undone = [one for one in undone if one.height > row.start_height]
            for one in undone:
                self._take_back(conn, one.ref, one.header.previous)
            for height in store.fact_heights_above(conn, blocks[-1].height):
                block_hash = store.facts_at(conn, height)[0].block_hash
                self._take_back(conn, BlockRef(height, block_hash), None)
            store.set_blocks(conn, blocks)
            store.end_halt(conn)

    def _take_back(self, conn: Connection, ref: BlockRef, previous_hash: bytes | None) -> None:
        gone = BlockDisconnected(ref, previous_hash, store.drop_facts(conn, ref.height))
        for listener in self._listeners:
            listener.disconnected(conn, gone)

    def _advance(self, conn: Connection) -> bool:
        return store.advance_version(conn, self._version)

    def _read_watches(self, conn: Connection) -> bool:
        """Whether there are new ones.

        In the transaction that holds the row, so that no lower id can come later.
        """
        fresh = store.watches_after(conn, self._last_watch)
        for number, script_pubkey in fresh:
            self._watched.add(script_pubkey)
            self._last_watch = number
        return bool(fresh)


def fetched(backend: ChainBackend, at: HeaderAt) -> BlockAt:
    """The block of a header, with the transactions that the header commits to.

    `UntrustworthyNodeError` for another block; `PrunedError` and the like pass through.
    """
    block_hash = at.header.block_hash
    block = backend.block(block_hash)
    whole = Block(block.header, block.transactions)
    if block.ref != at.ref or not has_own_merkle_root(whole):
        raise UntrustworthyNodeError(f"asked for block {at.ref.hex}, the node gave {block.ref.hex}")
    return block


def found_facts(conn: Connection, block: BlockAt, watched: set[bytes]) -> tuple[Fact, ...]:
    """The block's facts about watched scripts; what it spends is looked up once."""
    owned: dict[OutPoint, Owned] = {}
    if watched and store.has_facts(conn):
        spent = [one.outpoint for tx in block.transactions[1:] for one in tx.inputs]
        owned = store.owned_among(conn, spent)
    return facts_of(block, watched.__contains__, owned.get)
