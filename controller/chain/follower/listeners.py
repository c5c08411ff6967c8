"""What is told of each block, inside the transaction that commits its facts."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from controller.chain.follower.facts import Fact
from controller.chain.values import BlockAt, BlockRef
from shared.bitcoin.transaction import Transaction


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """A block was connected, with its facts; blocks without facts are told too.

    `is_rescan` marks a block told again: by a rescan, or because a listener watched more scripts on
    being told, with the facts that this adds; by a replay with all of its facts.
    """

    ref: BlockRef
    previous_hash: bytes
    time_s: int
    transactions: tuple[Transaction, ...]
    facts: tuple[Fact, ...]
    is_rescan: bool = False

    @classmethod
    def of(cls, block: BlockAt, facts: tuple[Fact, ...], *, is_rescan: bool) -> "BlockSeen":
        """What is told of a block with these facts."""
        header = block.header
        return cls(block.ref, header.previous, header.time_s, block.transactions, facts, is_rescan)


@dataclass(frozen=True, slots=True)
class BlockDisconnected:
    """A block is no longer on the best chain; these were its facts, and they are deleted.

    `previous_hash` is None only after an operator resumed a halted follower, and the node no
    longer knew the block.
    """

    ref: BlockRef
    previous_hash: bytes | None
    facts: tuple[Fact, ...]


class BlockListener(Protocol):
    """Someone who keeps states that rest on chain facts, such as a wallet.

    Both are called with the connection whose transaction commits the block: what they write there
    stands or falls with it, `watches.watch` included. They do no network I/O; an error they raise
    rolls the block back, and it is told again.
    """

    def connected(self, conn: Connection, seen: BlockSeen) -> None:
        """A block is connected."""
        ...

    def disconnected(self, conn: Connection, gone: BlockDisconnected) -> None:
        """A block is disconnected, newest first."""
        ...
