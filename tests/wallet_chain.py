"""A chain made up for tests of wallets: blocks of transactions that nobody validates, and the
mempool's leavings. It tells a `Following` what happens, and keeps the truth to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from controller.storage.engine import Storage
from controller.wallets.following import ConnectedBlock, Following
from controller.wallets.registry import NewWallet, create_wallet
from controller.wallets.tiers import Tier
from shared.bitcoin.hashes import sha256
from shared.bitcoin.networks import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.transaction import NULL_TXID, OutPoint, Transaction, TxIn, TxOut
from shared.bitcoin.wire import MAX_U32

NOW_MS = 1_700_000_000_000
BLOCK_MS = 600_000
SUBSIDY_SAT = 5_000_000_000


class MadeUpScripts:
    """Scripts that follow from a name, as `WalletScripts`."""

    branches = 2
    input_weight = 273

    def __init__(self, name: str) -> None:
        self._name = name

    def script_at(self, branch: int, index: int) -> bytes:
        """A script to no key that anyone has."""
        return p2wpkh(b"\x02" + sha256(f"{self._name}/{branch}/{index}".encode()))


def stranger(number: int = 0) -> bytes:
    """The script of somebody who has no wallet here."""
    return p2wpkh(b"\x03" + number.to_bytes(32, "big"))


def enter_wallet(
    conn: Connection, name: str, *, organisation: str = "own", birth: int = 1, finality: int = 6
) -> int:
    """A wallet whose descriptor is its name."""
    new = NewWallet(
        organisation,
        name,
        Tier.HOT,
        Network.REGTEST,
        descriptor=name,
        birth_height=birth,
        gap_limit=5,
        finality_depth=finality,
    )
    return create_wallet(conn, new, MadeUpScripts(name), actor="user:1", now_ms=NOW_MS)


def following() -> Following:
    """Follows wallets that `enter_wallet` made."""
    return Following(Network.REGTEST, scripts=lambda row: MadeUpScripts(row.descriptor))


def spend(
    inputs: Sequence[OutPoint], outputs: Sequence[tuple[bytes, int]], *, version: int = 2
) -> Transaction:
    """A transaction of these inputs to these scripts."""
    return Transaction(
        version,
        tuple(TxIn(one) for one in inputs),
        tuple(TxOut(amount, script) for script, amount in outputs),
    )


def coinbase(height: int, script: bytes, salt: int = 0) -> Transaction:
    """A block's first transaction."""
    signature = height.to_bytes(4, "little") + salt.to_bytes(4, "little")
    return Transaction(
        2, (TxIn(OutPoint(NULL_TXID, MAX_U32), signature),), (TxOut(SUBSIDY_SAT, script),)
    )


def foreign(number: int) -> OutPoint:
    """An outpoint of somebody else's."""
    return OutPoint(sha256(number.to_bytes(8, "big")), 0)


@dataclass
class Chain:
    """The blocks so far, genesis at height 0; each call is a transaction of its own."""

    storage: Storage
    following: Following = field(default_factory=following)
    blocks: list[ConnectedBlock] = field(default_factory=list)
    made: int = 0

    @property
    def height(self) -> int:
        """The tip's."""
        return len(self.blocks)

    @property
    def tip_hash(self) -> bytes:
        """The tip's."""
        return self.blocks[-1].block_hash if self.blocks else bytes(32)

    def mine(self, *transactions: Transaction, to: bytes | None = None) -> ConnectedBlock:
        """A block of these, with its coinbase to `to`."""
        self.made += 1
        height = self.height + 1
        first = coinbase(height, to if to is not None else stranger(), self.made)
        block = ConnectedBlock(
            height,
            sha256(b"block" + self.made.to_bytes(8, "big")),
            self.tip_hash,
            NOW_MS + height * BLOCK_MS,
            (first, *transactions),
        )
        return self.connect(block)

    def connect(self, block: ConnectedBlock) -> ConnectedBlock:
        """A block that is there already."""
        with self.storage.write() as conn:
            self.following.connect(conn, block, now_ms=NOW_MS)
        self.blocks.append(block)
        return block

    def mine_empty(self, count: int) -> None:
        """Blocks of nothing that concerns a wallet."""
        for _ in range(count):
            self.mine()

    def disconnect(self) -> ConnectedBlock:
        """Takes the tip back."""
        block = self.blocks.pop()
        with self.storage.write() as conn:
            self.following.disconnect(
                conn, block.height, block.block_hash, block.previous_hash, now_ms=NOW_MS
            )
        return block

    def see(self, transaction: Transaction) -> None:
        """An unconfirmed transaction."""
        with self.storage.write() as conn:
            self.following.seen(conn, transaction)

    def drop(self, transaction: Transaction) -> None:
        """The mempool let it go."""
        with self.storage.write() as conn:
            self.following.dropped(conn, transaction.txid)
