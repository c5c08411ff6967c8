"""Blocks and unconfirmed transactions, taken into the wallets' coins and books, and out again.

Each wallet is at a block of its own (`tip_height`, `tip_hash`): a block is taken in by the wallets
that stand at the one before it and by no others, so that each counts once. All of it happens in
the caller's transaction, which the chain's follower opens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from controller.storage.tables import wallet_coins, wallet_scripts, wallets
from controller.wallets.books.movements import Flows, Received, movements
from controller.wallets.books.posting import Block, Posted, post, unpost
from controller.wallets.books.prices import NoPrices, PriceSource
from controller.wallets.coin_facts import (
    Paid,
    add_outputs,
    coins_spent_by,
    drop_transaction,
    settle_depths,
    spend,
    undo_block,
)
from controller.wallets.indices import WalletScripts
from controller.wallets.registry import extend_scripts, find_scripts, lock_wallet
from controller.wallets.reservations import reservation_mined, reservation_unmined
from controller.wallets.scripts import DescriptorScripts
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, Transaction


@dataclass(frozen=True, slots=True)
class ConnectedBlock:
    """A block on top of `previous_hash`, with its transactions in their order."""

    height: int
    block_hash: bytes
    previous_hash: bytes
    time_ms: int
    transactions: Sequence[Transaction]


def scripts_of(wallet: Row[Any]) -> WalletScripts:
    """The scripts of a wallet's descriptor."""
    return DescriptorScripts.of_text(wallet.descriptor, Network(wallet.network))


class Following:
    """Keeps the wallets of one network with the chain."""

    def __init__(
        self,
        network: Network,
        prices: PriceSource | None = None,
        scripts: Callable[[Row[Any]], WalletScripts] = scripts_of,
    ) -> None:
        self._network = network
        self._prices = prices if prices is not None else NoPrices()
        self._scripts = scripts

    def connect(self, conn: Connection, block: ConnectedBlock, *, now_ms: int) -> list[bytes]:
        """Takes in a block; the scripts that are watched from now on, since others were used."""
        at = self._lock(
            conn,
            or_(
                wallets.c.tip_hash == block.previous_hash,
                wallets.c.tip_hash.is_(None) & (wallets.c.birth_height == block.height),
            ),
        )
        if not at:
            return []
        added, ours = self._match(conn, at, block.transactions)
        place = Block(block.height, block.block_hash, block.time_ms)
        for transaction in _touching(conn, block.transactions, ours):
            self._take_in(conn, transaction, place, at, ours)
        for wallet in at.values():
            settle_depths(conn, wallet, block.height)
        self._move(conn, at, block.height, block.block_hash)
        return added

    def disconnect(
        self,
        conn: Connection,
        height: int,
        block_hash: bytes,
        previous_hash: bytes | None,
        *,
        now_ms: int,
    ) -> None:
        """Takes back a block, and what stood on it; nothing of wallets that are not there yet.

        `previous_hash` None: not known, `adopt` tells later which block the wallets are at.
        """
        at = self._lock(conn, wallets.c.tip_height >= height)
        for wallet in at.values():
            settle_depths(conn, wallet, height)  # where blocks of no concern were passed over
        for wallet in at.values():
            unpost(conn, wallet.id, Block(height, block_hash, 0), now_ms=now_ms)
            undone = undo_block(conn, at, wallet, height, block_hash)
            reservation_unmined(conn, wallet.id, undone)
        for wallet in at.values():
            settle_depths(conn, wallet, height - 1)
        born = {key: row for key, row in at.items() if row.birth_height >= height}
        self._move(conn, born, None, None)
        others = {key: row for key, row in at.items() if key not in born}
        self._move(conn, others, height - 1, previous_hash if previous_hash is not None else b"")

    def adopt(self, conn: Connection, height: int, block_hash: bytes) -> None:
        """The chain goes on from this block: what wallets had of blocks above it was taken back, as
        far as it was of any wallet's concern."""
        at = self._lock(conn, (wallets.c.tip_height >= height) & (wallets.c.tip_hash != block_hash))
        born = {key: row for key, row in at.items() if row.birth_height > height}
        self._move(conn, born, None, None)
        others = {key: row for key, row in at.items() if key not in born}
        for wallet in others.values():
            settle_depths(conn, wallet, height)
        self._move(conn, others, height, block_hash)

    def seen(self, conn: Connection, transaction: Transaction) -> list[bytes]:
        """Takes in an unconfirmed transaction; what it conflicts with is dropped.

        One that conflicts with a spend in a block changes nothing.
        """
        at = self._lock_touched(conn, transaction)
        if not at or transaction.is_coinbase:
            return []
        added, ours = self._match(conn, at, [transaction])
        self._take_in(conn, transaction, None, at, ours)
        self._settle(conn, at)
        return added

    def dropped(self, conn: Connection, txid: bytes) -> None:
        """An unconfirmed transaction left the mempool for good, or was replaced."""
        touched = select(wallet_coins.c.wallet_id).where(
            or_(wallet_coins.c.txid == txid, wallet_coins.c.spent_txid == txid)
        )
        at = self._lock(conn, wallets.c.id.in_(touched))
        drop_transaction(conn, at, txid)
        self._settle(conn, at)

    def _settle(self, conn: Connection, at: dict[int, Row[Any]]) -> None:
        for wallet in at.values():
            if wallet.tip_height is not None:
                settle_depths(conn, wallet, wallet.tip_height)

    def _lock(self, conn: Connection, which: Any) -> dict[int, Row[Any]]:
        """The wallets, locked in the order of their ids."""
        ids = conn.execute(
            select(wallets.c.id)
            .where(wallets.c.network == self._network.value, which)
            .order_by(wallets.c.id)
        )
        return {row.id: lock_wallet(conn, row.id) for row in ids.all()}

    def _lock_touched(self, conn: Connection, transaction: Transaction) -> dict[int, Row[Any]]:
        paid = find_scripts(conn, [one.script_pubkey for one in transaction.outputs])
        spent = coins_spent_by(conn, [transaction])
        touched = {row.wallet_id for row in (*paid.values(), *spent.values())}
        return self._lock(conn, wallets.c.id.in_(touched)) if touched else {}

    def _match(
        self, conn: Connection, at: dict[int, Row[Any]], transactions: Sequence[Transaction]
    ) -> tuple[list[bytes], dict[bytes, Row[Any]]]:
        """The scripts of these wallets that are paid to; each use may make more of them watched."""
        wanted = list({one.script_pubkey for each in transactions for one in each.outputs})
        added: list[bytes] = []
        while True:
            found = find_scripts(conn, wanted)
            ours = {key: row for key, row in found.items() if row.wallet_id in at}
            fresh = [row for row in ours.values() if not row.used]
            if not fresh:
                return added, ours
            for row in fresh:
                self._mark_used(conn, row)
            for wallet_id in {row.wallet_id for row in fresh}:
                wallet = at[wallet_id]
                added += extend_scripts(conn, wallet_id, wallet.gap_limit, self._scripts(wallet))

    def _mark_used(self, conn: Connection, row: Row[Any]) -> None:
        conn.execute(
            update(wallet_scripts)
            .where(wallet_scripts.c.script_pubkey == row.script_pubkey)
            .values(used=1)
        )

    def _take_in(
        self,
        conn: Connection,
        transaction: Transaction,
        place: Block | None,
        at: dict[int, Row[Any]],
        ours: dict[bytes, Row[Any]],
    ) -> None:
        paid = [
            (vout, output, ours[output.script_pubkey])
            for vout, output in enumerate(transaction.outputs)
            if output.script_pubkey in ours
        ]
        spent = {
            key: row
            for key, row in coins_spent_by(conn, [transaction]).items()
            if row.wallet_id in at
        }
        if not paid and not spent:
            return
        if place is None and any(row.spent_height is not None for row in spent.values()):
            return
        for row in spent.values():
            if row.spent_txid not in {None, transaction.txid}:
                drop_transaction(conn, at, row.spent_txid)
        spend(conn, at, transaction.txid, list(spent.values()), place)
        spenders = {at[row.wallet_id].organisation for row in spent.values()}
        for vout, output, script in paid:
            wallet = at[script.wallet_id]
            own = wallet.organisation in spenders
            add_outputs(conn, wallet, Paid(transaction, vout, output, script, own), place)
        if place is not None:
            self._book(conn, transaction, place, at, list(spent.values()), paid)

    def _book(
        self,
        conn: Connection,
        transaction: Transaction,
        place: Block,
        at: dict[int, Row[Any]],
        spent: list[Row[Any]],
        paid: list[Any],
    ) -> None:
        spent_sat: dict[int, int] = {}
        for row in spent:
            spent_sat[row.wallet_id] = spent_sat.get(row.wallet_id, 0) + row.amount_sat
        flows = Flows(
            txid=transaction.txid,
            is_coinbase=transaction.is_coinbase,
            received=tuple(
                Received(script.wallet_id, vout, output.amount_sat) for vout, output, script in paid
            ),
            spent_sat=spent_sat,
            organisations={key: row.organisation for key, row in at.items()},
            outputs_sat=sum(one.amount_sat for one in transaction.outputs),
            foreign_inputs=len(transaction.inputs) - len(spent),
        )
        reservations = sorted({row.reservation_id for row in spent if row.reservation_id})
        posted = Posted(transaction.txid, place, movements(flows), reservations)
        post(conn, posted, at, self._prices)
        reservation_mined(conn, reservations)

    def _move(
        self,
        conn: Connection,
        at: dict[int, Row[Any]],
        height: int | None,
        block_hash: bytes | None,
    ) -> None:
        if at:
            conn.execute(
                update(wallets)
                .where(wallets.c.id.in_(list(at)))
                .values(tip_height=height, tip_hash=block_hash)
            )


def _touching(
    conn: Connection, transactions: Sequence[Transaction], ours: dict[bytes, Row[Any]]
) -> list[Transaction]:
    """Those that pay to a wallet or spend a coin of one, in their order."""
    coins = set(coins_spent_by(conn, transactions))
    found = []
    for transaction in transactions:
        paid = [
            OutPoint(transaction.txid, vout)
            for vout, output in enumerate(transaction.outputs)
            if output.script_pubkey in ours
        ]
        coins.update(paid)
        if paid or any(one.outpoint in coins for one in transaction.inputs):
            found.append(transaction)
    return found
