"""The one interface to a chain."""

from collections.abc import Sequence
from typing import Protocol

from controller.chain.errors import NetworkMismatchError, NotAcceptedError
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

_THERE = frozenset({"txn-already-in-mempool", "txn-same-nonwitness-data-in-mempool"})
"""With another witness too: what counts is that the payment, by its id, is there."""


class ChainBackend(Protocol):
    """A Bitcoin node as the suite needs it. Ids are bytes in wire order; calls block.

    Every call may raise `NodeUnreachableError`. Several threads may call at once.
    """

    @property
    def network(self) -> Network:
        """The network that was configured."""
        ...

    def genesis_hash(self) -> bytes:
        """The id of the block at height 0, as the node has it."""
        ...

    def facts(self) -> NodeFacts:
        """Version, feerates and pruning, read now. `NetworkMismatchError` for another network."""
        ...

    def tip(self) -> BlockRef:
        """The best block."""
        ...

    def header_at(self, height: int) -> HeaderAt:
        """The best chain's header at this height, else `BlockNotFoundError`."""
        ...

    def header(self, block_hash: bytes) -> HeaderAt:
        """The header with this id, on the best chain or not, else `BlockNotFoundError`."""
        ...

    def block(self, block_hash: bytes) -> BlockAt:
        """The block with this id: `BlockNotFoundError`, or `PrunedError` where it was deleted."""
        ...

    def unspent(self, outpoint: OutPoint, *, with_mempool: bool) -> Unspent | None:
        """The output if it is unspent; what the mempool spends or makes counts if asked."""
        ...

    def test_accept(self, transaction: Transaction) -> Verdict:
        """Whether the mempool would take it, as of now, or has it already."""
        ...

    def test_accept_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """Whether the mempool would take a parent and its one child together."""
        ...

    def broadcast(self, transaction: Transaction) -> Verdict:
        """Hands it to the mempool; the same one again is accepted. `NotAcceptedError` if refused.

        After `NodeUnreachableError` it may be in the mempool or not: look, or broadcast again.
        """
        ...

    def broadcast_package(self, parent: Transaction, child: Transaction) -> PackageVerdict:
        """Hands both to the mempool, as `broadcast` does; only together where they need it."""
        ...

    def pool_txids(self) -> frozenset[bytes]:
        """What the mempool holds."""
        ...

    def pool_entry(self, txid: bytes) -> PoolEntry | None:
        """The mempool's entry, None if it has none."""
        ...

    def pool_transaction(self, txid: bytes) -> Transaction | None:
        """The transaction in the mempool, None if it has none."""
        ...

    def pool_ancestors(self, txid: bytes) -> frozenset[bytes] | None:
        """The unconfirmed ancestors without itself, None if the mempool does not have it."""
        ...

    def fee_estimate(self, target_blocks: int) -> FeeEstimate:
        """The feerate to confirm within 1 to 1008 blocks; `controller.chain.fees` bounds it."""
        ...


def check_network(backend: ChainBackend) -> NodeFacts:
    """The node's facts, if it serves the configured network by name and by its first block."""
    facts = backend.facts()
    if facts.network is not backend.network:
        raise NetworkMismatchError("network", facts.network.value, backend.network.value)
    expected, found = GENESIS[backend.network], backend.genesis_hash()
    if found != expected:
        raise NetworkMismatchError("first block", display(found), display(expected))
    return facts


def as_accepted_if_there(verdict: Verdict) -> Verdict:
    """An acceptance if it was refused only because the mempool has it already."""
    if verdict.reason not in _THERE:
        return verdict
    return Verdict(verdict.txid, verdict.wtxid, vsize=verdict.vsize, fee_sat=verdict.fee_sat)


def accepted(verdict: Verdict) -> Verdict:
    """The verdict, if it is an acceptance, else `NotAcceptedError`."""
    if verdict.reason is not None:
        raise NotAcceptedError(verdict.txid, verdict.reason, verdict.detail)
    return verdict


def accepted_package(verdict: PackageVerdict) -> PackageVerdict:
    """The verdict, if both were accepted, else `NotAcceptedError` of the one refused."""
    if verdict.is_accepted:
        return verdict
    refused: Sequence[Verdict] = [
        one for one in (verdict.parent, verdict.child) if one.reason is not None
    ]
    first = refused[0] if refused else verdict.child
    raise NotAcceptedError(first.txid, verdict.reason or first.reason or "", first.detail)
