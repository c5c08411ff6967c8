"""What people and price sources say of a lot afterwards: how it was acquired, and its price."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.audit import queue_leaf
from controller.errors import ConflictError, MissingError
from controller.storage.tables import wallet_entries, wallet_lots
from controller.wallets.books.lots import Origin
from controller.wallets.books.movements import Kind
from controller.wallets.books.posting import locked_until
from controller.wallets.books.prices import Price
from controller.wallets.registry import lock_wallet
from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Told:
    """How a lot was acquired, and what one bitcoin was worth then; None: that stays as it is."""

    origin: Origin
    price: Price | None = None

    def __post_init__(self) -> None:
        if self.origin is Origin.TRANSFERRED:
            raise BadInputError("origin", self.origin.value, "mined, bought, received")


def annotate_lot(
    conn: Connection,
    lot_id: int,
    told: Told,
    *,
    version: int,
    actor: str,
    now_ms: int,
) -> None:
    """Writes down what is told of a lot; a price also for the lots that transfers made of it.

    `ConflictError` where the lot changed since `version`, is gone, was moved from another wallet,
    or its acquisition is in a locked period, which never changes.
    """
    row = _find(conn, lot_id)
    lock_wallet(conn, row.wallet_id)
    row = _find(conn, lot_id)
    if row.gone_ms is not None or row.origin == Origin.TRANSFERRED.value:
        raise ConflictError(f"lot {lot_id} is gone, or was moved from another wallet")
    if row.version != version:
        raise ConflictError(f"lot {lot_id} has changed meanwhile")
    if _booked_height(conn, row) <= locked_until(conn, row.wallet_id):
        raise ConflictError(f"lot {lot_id} was acquired in a locked period")
    values: dict[str, Any] = {"origin": told.origin.value, "version": version + 1}
    price = told.price
    if price is not None:
        values |= {
            "price": price.text,
            "price_currency": price.currency,
            "price_source": price.source,
            "price_problem": None,
        }
    conn.execute(update(wallet_lots).where(wallet_lots.c.id == lot_id).values(**values))
    if price is not None:
        _carry_on(conn, lot_id, values)
    queue_leaf(
        conn,
        kind="wallet.lot_annotated",
        actor=actor,
        subject=f"lot {lot_id}",
        data={
            "origin": told.origin.value,
            "price": None if price is None else [price.text, price.currency, price.source],
            "before": [row.origin, row.price, row.price_currency, row.price_source],
        },
        now_ms=now_ms,
    )


def _carry_on(conn: Connection, lot_id: int, values: dict[str, Any]) -> None:
    """The lots that transfers made of it have its price too, but those of locked periods."""
    prices = {name: value for name, value in values.items() if name.startswith("price")}
    waiting = [lot_id]
    while waiting:
        source = waiting.pop()
        for row in conn.execute(
            select(wallet_lots).where(wallet_lots.c.carried_from == source)
        ).all():
            waiting.append(row.id)
            if _booked_height(conn, row) > locked_until(conn, row.wallet_id):
                conn.execute(
                    update(wallet_lots)
                    .where(wallet_lots.c.id == row.id)
                    .values(version=row.version + 1, **prices)
                )


def _find(conn: Connection, lot_id: int) -> Row[Any]:
    row = conn.execute(select(wallet_lots).where(wallet_lots.c.id == lot_id)).one_or_none()
    if row is None:
        raise MissingError("lot", lot_id)
    return row


def _booked_height(conn: Connection, lot: Row[Any]) -> int:
    height = conn.scalar(
        select(wallet_entries.c.booked_height)
        .where(
            wallet_entries.c.wallet_id == lot.wallet_id,
            wallet_entries.c.txid == lot.txid,
            wallet_entries.c.block_hash == lot.created_hash,
            wallet_entries.c.kind == Kind.IN.value,
            wallet_entries.c.voided_ms.is_(None),
            wallet_entries.c.corrects_id.is_(None),
        )
        .order_by(wallet_entries.c.id.desc())
        .limit(1)
    )
    return int(lot.created_height if height is None else height)
