"""The figures of a wallet at a cut-off block, and locking them."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select

from controller.audit import queue_leaf
from controller.errors import ConflictError
from controller.storage.tables import (
    wallet_coins,
    wallet_entries,
    wallet_lots,
    wallet_periods,
    wallet_reliefs,
)
from controller.wallets.books.lots import ReliefState
from controller.wallets.books.movements import Kind, Statement, statement
from controller.wallets.registry import find_wallet, lock_wallet
from shared.bitcoin.transaction import display


class BooksDoNotBalanceError(Exception):
    """The entries do not sum up to the coins: nothing is locked, somebody has to look."""

    def __init__(self, wallet_id: int, books_sat: int, coins_sat: int) -> None:
        super().__init__(
            f"wallet {wallet_id}: the books say {books_sat} sat, the coins {coins_sat} sat"
        )
        self.wallet_id = wallet_id
        self.books_sat = books_sat
        self.coins_sat = coins_sat


@dataclass(frozen=True, slots=True)
class Cut:
    """A statement from the end of the last locked period to a cut-off block."""

    wallet_id: int
    number: int
    from_height: int
    to_height: int
    statement: Statement
    coins_sat: int

    @property
    def balances(self) -> bool:
        """Whether closing is what the coins sum up to."""
        return self.statement.closing_sat == self.coins_sat


def cut(conn: Connection, wallet_id: int, to_height: int) -> Cut:
    """The open period up to a cut-off block; `ConflictError` for a block that is locked, or that
    the wallet has not taken in."""
    wallet = find_wallet(conn, wallet_id)
    last = conn.execute(
        select(wallet_periods)
        .where(wallet_periods.c.wallet_id == wallet_id)
        .order_by(wallet_periods.c.number.desc())
        .limit(1)
    ).one_or_none()
    first = wallet.birth_height if last is None else last.to_height + 1
    if wallet.tip_height is None or not first <= to_height <= wallet.tip_height:
        raise ConflictError(
            f"the cut-off block {to_height} is not between {first} and the wallet's tip "
            f"{wallet.tip_height}"
        )
    sums = conn.execute(
        select(wallet_entries.c.kind, func.sum(wallet_entries.c.amount_sat))
        .where(
            wallet_entries.c.wallet_id == wallet_id,
            wallet_entries.c.voided_ms.is_(None),
            wallet_entries.c.booked_height >= first,
            wallet_entries.c.booked_height <= to_height,
        )
        .group_by(wallet_entries.c.kind)
    ).all()
    opening = 0 if last is None else last.closing_sat
    return Cut(
        wallet_id=wallet_id,
        number=1 if last is None else last.number + 1,
        from_height=first,
        to_height=to_height,
        statement=statement(opening, {Kind(kind): int(total) for kind, total in sums}),
        coins_sat=coins_at(conn, wallet_id, to_height),
    )


def coins_at(conn: Connection, wallet_id: int, height: int) -> int:
    """The sum of the coins that were there, and unspent, at a block."""
    total = conn.scalar(
        select(func.coalesce(func.sum(wallet_coins.c.amount_sat), 0)).where(
            wallet_coins.c.wallet_id == wallet_id,
            wallet_coins.c.created_height <= height,
            or_(wallet_coins.c.spent_height.is_(None), wallet_coins.c.spent_height > height),
        )
    )
    return int(total or 0)


def lots_left(conn: Connection, wallet_id: int) -> int:
    """What the lots hold, plans apart: the balance at the wallet's tip, lot by lot."""
    held = conn.scalar(
        select(func.coalesce(func.sum(wallet_lots.c.amount_sat), 0)).where(
            wallet_lots.c.wallet_id == wallet_id, wallet_lots.c.gone_ms.is_(None)
        )
    )
    relieved = conn.scalar(
        select(func.coalesce(func.sum(wallet_reliefs.c.amount_sat), 0))
        .join(wallet_lots, wallet_lots.c.id == wallet_reliefs.c.lot_id)
        .where(
            wallet_reliefs.c.wallet_id == wallet_id,
            wallet_reliefs.c.state == ReliefState.BOOKED.value,
            wallet_lots.c.gone_ms.is_(None),
        )
    )
    return int(held or 0) - int(relieved or 0)


def lock_period(
    conn: Connection, wallet_id: int, to_height: int, block_hash: bytes, *, actor: str, now_ms: int
) -> Cut:
    """Locks the open period up to a final block, for ever.

    `BooksDoNotBalanceError` where closing is not what the coins sum up to, `ConflictError` where
    the block is not finality-deep.
    """
    wallet = lock_wallet(conn, wallet_id)
    made = cut(conn, wallet_id, to_height)
    if wallet.tip_height - to_height + 1 < wallet.finality_depth:
        raise ConflictError(f"block {to_height} is not {wallet.finality_depth} blocks deep")
    if not made.balances:
        raise BooksDoNotBalanceError(wallet_id, made.statement.closing_sat, made.coins_sat)
    figures = {
        "opening_sat": made.statement.opening_sat,
        "in_sat": made.statement.in_sat,
        "out_sat": made.statement.out_sat,
        "fee_sat": made.statement.fee_sat,
        "closing_sat": made.statement.closing_sat,
    }
    conn.execute(
        insert(wallet_periods).values(
            wallet_id=wallet_id,
            number=made.number,
            from_height=made.from_height,
            to_height=to_height,
            block_hash=block_hash,
            locked_by=actor,
            locked_ms=now_ms,
            **figures,
        )
    )
    queue_leaf(
        conn,
        kind="wallet.period_locked",
        actor=actor,
        subject=f"{wallet.organisation}/{wallet.name}",
        data={
            **figures,
            "number": made.number,
            "from_height": made.from_height,
            "to_height": to_height,
            "block": display(block_hash),
        },
        now_ms=now_ms,
    )
    return made
