"""Old blocks read again: for scripts that are watched, or listeners that listen, since later."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from controller.chain.backend import ChainBackend
from controller.chain.errors import ChainError, UntrustworthyNodeError
from controller.chain.follower import store
from controller.chain.follower.commits import fetched
from controller.chain.follower.facts import Fact, FactKind, Owned, facts_of
from controller.chain.follower.listeners import BlockListener, BlockSeen
from controller.chain.values import BlockAt, BlockRef, HeaderAt
from controller.storage.engine import Storage
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError


def rescan(
    backend: ChainBackend,
    storage: Storage,
    listeners: Sequence[BlockListener],
    script_pubkeys: Sequence[bytes],
    from_height: int,
) -> int:
    """Commits what is missing, a block at a time, oldest first; returns how many facts.

    The headers are followed down from the known blocks first, so that every block read is an
    ancestor of theirs. `ChainError` if a block was disconnected meanwhile: rescan again.
    """
    headers = _headers(backend, storage, max(from_height, 1))
    wanted, found = set(script_pubkeys), 0
    with storage.read() as conn:
        known = [one for script in wanted for one in store.facts_of_script(conn, script)]
    owned = _owned(known)
    for at in headers:
        block = fetched(backend, at)
        facts = facts_of(block, wanted.__contains__, owned.get)
        owned |= _owned(facts)
        if facts:
            found += _commit(storage, listeners, block, facts)
    return found


def replay(
    backend: ChainBackend, storage: Storage, listener: BlockListener, from_height: int
) -> BlockRef:
    """Tells one listener of every block from `from_height` to the last; returns that one.

    For who begins to listen later than the follower. Each block is told in a transaction of its
    own; what comes in meanwhile is told too.
    """
    told = BlockRef(from_height - 1, b"")
    while headers := _headers(backend, storage, told.height + 1):
        for at in headers:
            block = fetched(backend, at)
            with storage.write() as conn:
                _check_connected(conn, at.ref)
                facts = store.facts_at(conn, at.height)
                listener.connected(conn, BlockSeen.of(block, facts, is_rescan=True))
            told = at.ref
    return told


def _owned(facts: Iterable[Fact]) -> dict[OutPoint, Owned]:
    return {
        one.outpoint: Owned(one.script_pubkey, one.amount_sat, one.is_coinbase)
        for one in facts
        if one.kind is FactKind.RECEIVED
    }


def _commit(
    storage: Storage, listeners: Sequence[BlockListener], block: BlockAt, facts: Sequence[Fact]
) -> int:
    with storage.write() as conn:
        _check_connected(conn, block.ref)
        missing = store.missing_facts(conn, facts)
        if missing:
            store.put_facts(conn, missing)
            for listener in listeners:
                listener.connected(conn, BlockSeen.of(block, missing, is_rescan=True))
        return len(missing)


def _check_connected(conn: Connection, ref: BlockRef) -> None:
    """Holds the row, so that nobody disconnects the block until this transaction ends."""
    store.read_state(conn, locked=True)
    kept = {height: one.block_hash for height, one in store.read_blocks(conn)}
    if ref.height >= min(kept) and kept.get(ref.height) != ref.block_hash:
        raise ChainError(f"block {ref.hex} was disconnected during the rescan")


def _headers(backend: ChainBackend, storage: Storage, from_height: int) -> list[HeaderAt]:
    with storage.read() as conn:
        known = [HeaderAt(height, header) for height, header in store.read_blocks(conn)]
    if not known:
        raise ChainError("the chain follower was never started on this database")
    if from_height == known[-1].height + 1:
        return []
    if not 0 <= from_height <= known[-1].height:
        raise BadInputError("from_height", str(from_height), f"from 0 to {known[-1].height + 1}")
    below: list[HeaderAt] = []
    child = known[0]
    while child.height > from_height:
        at = backend.header_at(child.height - 1)
        if at.header.block_hash != child.header.previous:
            raise UntrustworthyNodeError(f"block {at.ref.hex} is not the parent of {child.ref.hex}")
        below.append(at)
        child = at
    return [*reversed(below), *(one for one in known if one.height >= from_height)]
