"""What blocks and transactions do to coins' rows: every step is an event of `coin_life`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from controller.storage.tables import wallet_coins
from controller.wallets.books.posting import Block
from controller.wallets.coin_life import (
    ChainEvent,
    Hold,
    Standing,
    after,
    first_standing,
    life,
    lowest_height,
)
from controller.wallets.registry import lock_wallet
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut

_A_QUERY = 400
Wallets = dict[int, Row[Any]]


@dataclass(frozen=True, slots=True)
class Paid:
    """An output to a script of a wallet's; `is_own` where the organisation paid the transaction."""

    transaction: Transaction
    vout: int
    output: TxOut
    script: Row[Any]
    is_own: bool


def coins_spent_by(
    conn: Connection, transactions: Sequence[Transaction]
) -> dict[OutPoint, Row[Any]]:
    """The coins that the transactions spend."""
    return find_coins(
        conn, {one.outpoint for transaction in transactions for one in transaction.inputs}
    )


def find_coins(conn: Connection, outpoints: Collection[OutPoint]) -> dict[OutPoint, Row[Any]]:
    """The wallets' coins among these. Asked for by transaction: SQLite looks no pair up in an
    index."""
    txids = sorted({one.txid for one in outpoints})
    found: dict[OutPoint, Row[Any]] = {}
    for start in range(0, len(txids), _A_QUERY):
        some = txids[start : start + _A_QUERY]
        for row in conn.execute(select(wallet_coins).where(wallet_coins.c.txid.in_(some))):
            outpoint = OutPoint(row.txid, row.vout)
            if outpoint in outpoints:
                found[outpoint] = row
    return found


def change(conn: Connection, wallet: Row[Any], row: Row[Any], **values: Any) -> None:
    """Writes a coin's new facts under the wallet's revision."""
    conn.execute(
        update(wallet_coins)
        .where(wallet_coins.c.id == row.id)
        .values(revision=wallet.revision, version=wallet_coins.c.version + 1, **values)
    )


def _after(row: Row[Any], event: ChainEvent) -> str:
    return after(Standing(row.standing), event, is_coinbase=bool(row.is_coinbase)).value


def add_outputs(conn: Connection, wallet: Row[Any], paid: Paid, place: Block | None) -> None:
    """A new coin, or the one that is known from the mempool or from another block."""
    txid = paid.transaction.txid
    known = conn.execute(
        select(wallet_coins).where(wallet_coins.c.txid == txid, wallet_coins.c.vout == paid.vout)
    ).one_or_none()
    created = {
        "created_height": place.height if place is not None else None,
        "created_hash": place.block_hash if place is not None else None,
    }
    if known is not None:
        event = ChainEvent.SEEN if place is None else ChainEvent.MINED
        if place is not None or known.created_height is None:
            change(conn, wallet, known, standing=_after(known, event), **created)
        return
    is_coinbase = paid.transaction.is_coinbase
    conn.execute(
        insert(wallet_coins).values(
            wallet_id=wallet.id,
            txid=txid,
            vout=paid.vout,
            amount_sat=paid.output.amount_sat,
            branch=paid.script.branch,
            number=paid.script.number,
            is_coinbase=int(is_coinbase),
            is_own_change=int(paid.is_own),
            tx_version=paid.transaction.version,
            standing=first_standing(is_coinbase=is_coinbase, in_block=place is not None).value,
            hold=Hold.FREE.value,
            revision=wallet.revision,
            **created,
        )
    )


def spend(
    conn: Connection, at: Wallets, txid: bytes, rows: Sequence[Row[Any]], place: Block | None
) -> None:
    """The coins are spent: in a block, or unconfirmed."""
    for row in rows:
        change(
            conn,
            at[row.wallet_id],
            row,
            standing=_after(row, ChainEvent.SPENT),
            spent_txid=txid,
            spent_height=place.height if place is not None else None,
            spent_hash=place.block_hash if place is not None else None,
        )


def drop_transaction(conn: Connection, at: Wallets, txid: bytes) -> None:
    """An unconfirmed transaction can be in no block any more, nor what spends its outputs.

    Coins of other wallets than those locked already, `at`, may rest on it: these are locked as they
    are met, which only who follows the chain does with more than one wallet.
    """
    waiting, seen = [txid], {txid}
    others: Wallets = {}
    while waiting:
        dropped = waiting.pop()
        rows = conn.execute(
            select(wallet_coins).where(
                or_(
                    (wallet_coins.c.spent_txid == dropped) & wallet_coins.c.spent_height.is_(None),
                    (wallet_coins.c.txid == dropped) & wallet_coins.c.created_height.is_(None),
                )
            )
        ).all()
        for row in rows:
            wallet = at.get(row.wallet_id) or others.get(row.wallet_id)
            if wallet is None:
                wallet = others[row.wallet_id] = lock_wallet(conn, row.wallet_id)
            if row.txid != dropped:
                _undo_spend(conn, wallet, row)
                continue
            if row.spent_txid is not None and row.spent_txid not in seen:
                seen.add(row.spent_txid)
                waiting.append(row.spent_txid)
            change(conn, wallet, row, standing=_after(row, ChainEvent.REPLACED))
    for wallet in others.values():
        if wallet.tip_height is not None:
            settle_depths(conn, wallet, wallet.tip_height)


def _undo_spend(conn: Connection, wallet: Row[Any], row: Row[Any]) -> None:
    is_pending = row.created_height is None
    event = ChainEvent.SPEND_DROPPED if is_pending else ChainEvent.SPEND_UNDONE
    change(conn, wallet, row, standing=_after(row, event), spent_txid=None)


def undo_block(
    conn: Connection, at: Wallets, wallet: Row[Any], height: int, block_hash: bytes
) -> list[str]:
    """Takes a block's facts off the wallet's coins; the reservations whose payments were in it.

    A spend that was in the block waits unconfirmed, until it is dropped or in a block again: nodes
    take a disconnected block's transactions back into their mempools.
    """
    spent = conn.execute(
        select(wallet_coins).where(
            wallet_coins.c.wallet_id == wallet.id,
            wallet_coins.c.spent_height == height,
            wallet_coins.c.spent_hash == block_hash,
        )
    ).all()
    for row in spent:
        change(conn, wallet, row, spent_height=None, spent_hash=None)
    created = conn.execute(
        select(wallet_coins).where(
            wallet_coins.c.wallet_id == wallet.id,
            wallet_coins.c.created_height == height,
            wallet_coins.c.created_hash == block_hash,
        )
    ).all()
    for row in created:
        standing = _after(row, ChainEvent.UNMINED)
        change(conn, wallet, row, standing=standing, created_height=None, created_hash=None)
        if row.is_coinbase and row.spent_txid is not None:
            drop_transaction(conn, at, row.spent_txid)
    return sorted({row.reservation_id for row in spent if row.reservation_id})


_DEPTHS = (
    ChainEvent.UNBURIED,
    ChainEvent.UNMATURED,
    ChainEvent.MATURED,
    ChainEvent.BURIED,
)
_SHALLOWER = frozenset({ChainEvent.UNBURIED, ChainEvent.UNMATURED})


def settle_depths(conn: Connection, wallet: Row[Any], tip_height: int) -> None:
    """Matures and buries the coins that are deep enough at this tip, and takes back the others."""
    for event in _DEPTHS:
        limit = lowest_height(event, tip_height, wallet.finality_depth)
        if limit is None:
            continue
        is_due = (
            wallet_coins.c.created_height > limit
            if event in _SHALLOWER
            else wallet_coins.c.created_height <= limit
        )
        for is_coinbase in (False, True):
            for standing, row in life(is_coinbase=is_coinbase).items():
                if event in row:
                    conn.execute(
                        update(wallet_coins)
                        .where(
                            wallet_coins.c.wallet_id == wallet.id,
                            wallet_coins.c.standing == standing.value,
                            wallet_coins.c.is_coinbase == int(is_coinbase),
                            is_due,
                        )
                        .values(
                            standing=row[event].value,
                            revision=wallet.revision,
                            version=wallet_coins.c.version + 1,
                        )
                    )
