"""What a chain backend answers with."""

from dataclasses import dataclass
from enum import Enum

from controller.chain.blocks import BlockHeader, Coin
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import Transaction, TxOut, display, identifier_of

GENESIS = {
    network: identifier_of(text)
    for network, text in {
        Network.MAINNET: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
        Network.TESTNET4: "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
        Network.SIGNET: "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
        Network.REGTEST: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    }.items()
}
"""Each network's first block (Core's chainparams), in wire order."""

POW_LIMIT_BITS = {
    Network.MAINNET: 0x1D00FFFF,
    Network.TESTNET4: 0x1D00FFFF,
    Network.SIGNET: 0x1E0377AE,
    Network.REGTEST: 0x207FFFFF,
}
"""The easiest target a header may name (Core's chainparams, `powLimit`)."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by height and id (wire order)."""

    height: int
    block_hash: bytes

    @property
    def hex(self) -> str:
        """`<height>:<id as people write it>`."""
        return f"{self.height}:{display(self.block_hash)}"


@dataclass(frozen=True, slots=True)
class HeaderAt:
    """A header and its height."""

    height: int
    header: BlockHeader

    @property
    def ref(self) -> BlockRef:
        """Height and id."""
        return BlockRef(self.height, self.header.block_hash)


@dataclass(frozen=True, slots=True)
class BlockAt:
    """A block at its height.

    `spent` has for each transaction the coins it spends, in the order of its inputs (none for the
    coinbase); None where the backend no longer has them.
    """

    height: int
    header: BlockHeader
    transactions: tuple[Transaction, ...]
    spent: tuple[tuple[Coin, ...], ...] | None

    @property
    def ref(self) -> BlockRef:
        """Height and id."""
        return BlockRef(self.height, self.header.block_hash)


@dataclass(frozen=True, slots=True)
class Unspent:
    """An output that is unspent as of `best_block`; `height` is None while its maker is unmined."""

    output: TxOut
    height: int | None
    is_coinbase: bool
    best_block: bytes


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the backend says of itself, read anew each time. Feerates in satoshi per 1,000 vB."""

    software: str
    version: int
    network: Network
    min_relay_sat_per_kvb: int
    incremental_relay_sat_per_kvb: int
    mempool_min_sat_per_kvb: int
    is_pruned: bool
    lowest_block_height: int

    @property
    def relays_truc(self) -> bool:
        """Whether version 3 relays under BIP431 (Bitcoin Core 28.0 and later)."""
        return self.version >= 280_000

    @property
    def relays_ephemeral_dust(self) -> bool:
        """Whether a dust output of a free parent relays (Bitcoin Core 29.0 and later)."""
        return self.version >= 290_000


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """A transaction in the mempool, with what surrounds it there; each count includes itself."""

    txid: bytes
    wtxid: bytes
    vsize: int
    fee_sat: int
    time_s: int
    height: int
    ancestor_count: int
    ancestor_vsize: int
    ancestor_fee_sat: int
    descendant_count: int
    descendant_vsize: int
    descendant_fee_sat: int
    parents: frozenset[bytes]
    children: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the mempool takes a transaction; `reason` is Core's reject reason, None if it does.

    `vsize` and `fee_sat` are None where the backend does not say them: it refused earlier.
    """

    txid: bytes
    wtxid: bytes
    reason: str | None = None
    detail: str = ""
    vsize: int | None = None
    fee_sat: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether it would enter the mempool, or is in it already."""
        return self.reason is None


class PackageState(Enum):
    """What a test of a package came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNDETERMINED = "undetermined"
    """The backend cannot test it: a node's `testmempoolaccept` ignores package feerates, so that a
    parent below the relay feerate by itself is refused there although `submitpackage` takes it."""


@dataclass(frozen=True, slots=True)
class PackageVerdict:
    """What becomes of a parent and its child together."""

    state: PackageState
    parent: Verdict
    child: Verdict
    reason: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether both would enter the mempool."""
        return self.state is PackageState.ACCEPTED


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """The feerate to confirm within `target_blocks`, as the backend sees it, before any bound.

    `feerate_sat_per_kvb` is None where it has too little to go by; `problem` says why.
    """

    target_blocks: int
    feerate_sat_per_kvb: int | None
    problem: str = ""
