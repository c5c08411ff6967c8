"""Which lots answer for a payment: fixed in its reservation before anything is signed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.errors import ConflictError
from controller.storage.tables import wallet_lots, wallet_reliefs
from controller.wallets.books.lots import (
    Lot,
    Method,
    Origin,
    Relief,
    ReliefState,
    ShortOfLotsError,
    relieve,
)
from controller.wallets.books.prices import PriceOrReason, UnknownPrice, price_of
from shared.bitcoin.transaction import OutPoint

_A_PAGE = 200


def lot_of(row: Row[Any]) -> Lot:
    """The lot of a row."""
    price: PriceOrReason = (
        UnknownPrice(row.price_problem)
        if row.price is None
        else price_of(row.price, row.price_currency, row.price_source)
    )
    return Lot(
        id=row.id,
        outpoint=OutPoint(row.txid, row.vout),
        amount_sat=row.amount_sat,
        available_sat=row.amount_sat - row.committed_sat,
        acquired_ms=row.acquired_ms,
        origin=Origin(row.origin),
        price=price,
    )


def choose_lots(
    conn: Connection, wallet: Row[Any], amount_sat: int, *, must: bool = False
) -> list[Relief] | None:
    """Lots by the wallet's own method; None, or `ShortOfLotsError` where one `must` be found."""
    try:
        return _choose(conn, wallet.id, amount_sat, Method(wallet.relief_method), ())
    except ShortOfLotsError:
        if must:
            raise
        return None


def _choose(
    conn: Connection, wallet_id: int, amount_sat: int, method: Method, named: Sequence[int]
) -> list[Relief]:
    query = (
        select(wallet_lots)
        .where(
            wallet_lots.c.wallet_id == wallet_id,
            wallet_lots.c.gone_ms.is_(None),
        )
        .order_by(wallet_lots.c.acquired_ms, wallet_lots.c.id)
    )
    if method is Method.NAMED:
        rows = conn.execute(query.where(wallet_lots.c.id.in_(named)))
        return relieve(map(lot_of, rows), amount_sat, method, named)
    query = query.where(wallet_lots.c.committed_sat < wallet_lots.c.amount_sat)
    lots: list[Lot] = []
    available = 0
    with conn.execute(query.execution_options(yield_per=_A_PAGE)) as rows:
        for row in rows:
            lots.append(lot_of(row))
            available += lots[-1].available_sat
            if method is Method.FIFO and available >= amount_sat:
                break
    return relieve(lots, amount_sat, method)


def commit_reliefs(conn: Connection, reliefs: Sequence[Relief]) -> None:
    """Counts reliefs against their lots; amounts below 0 are given back.

    `ConflictError` where a lot has not that much left: a lot is never relieved twice.
    """
    for one in reliefs:
        changed = conn.execute(
            update(wallet_lots)
            .where(
                wallet_lots.c.id == one.lot_id,
                wallet_lots.c.committed_sat + one.amount_sat <= wallet_lots.c.amount_sat,
                wallet_lots.c.committed_sat + one.amount_sat >= 0,
            )
            .values(
                committed_sat=wallet_lots.c.committed_sat + one.amount_sat,
                version=wallet_lots.c.version + 1,
            )
        )
        if changed.rowcount != 1:
            raise ConflictError(f"lot {one.lot_id} has not {one.amount_sat} sat to relieve")


def plan(
    conn: Connection,
    wallet_id: int,
    reservation_id: str,
    amount_sat: int,
    *,
    method: Method,
    named: Sequence[int] = (),
) -> list[Relief]:
    """Plans that these lots answer for so much; stored with the reservation."""
    reliefs = _choose(conn, wallet_id, amount_sat, method, named)
    commit_reliefs(conn, reliefs)
    rows = [
        {
            "lot_id": one.lot_id,
            "wallet_id": wallet_id,
            "amount_sat": one.amount_sat,
            "state": ReliefState.PLANNED.value,
            "reservation_id": reservation_id,
            "is_planned": 1,
        }
        for one in reliefs
    ]
    if rows:
        conn.execute(insert(wallet_reliefs), rows)
    return reliefs


def planned_reliefs(
    conn: Connection, wallet_id: int, reservations: Sequence[str]
) -> Sequence[Row[Any]]:
    """What is planned for reservations of a wallet, in the order it was."""
    if not reservations:
        return []
    return conn.execute(
        select(wallet_reliefs)
        .where(
            wallet_reliefs.c.wallet_id == wallet_id,
            wallet_reliefs.c.reservation_id.in_(reservations),
            wallet_reliefs.c.state == ReliefState.PLANNED.value,
        )
        .order_by(wallet_reliefs.c.id)
    ).all()


def shrink_plan(conn: Connection, wallet_id: int, reservation_id: str, amount_sat: int) -> None:
    """Gives back so much of a plan, what was planned last first."""
    left = amount_sat
    for row in reversed(planned_reliefs(conn, wallet_id, [reservation_id])):
        taken = min(left, row.amount_sat)
        if taken == 0:
            break
        _give_back(conn, row, taken)
        left -= taken


def drop_plans(conn: Connection, wallet_id: int, reservations: Sequence[str]) -> None:
    """Gives back all that is planned for them."""
    for row in planned_reliefs(conn, wallet_id, reservations):
        _give_back(conn, row, row.amount_sat)


def take_all_plans(conn: Connection, wallet_id: int) -> None:
    """Gives back every plan of a wallet: coins left it in a way that nobody planned, and what is
    in a block comes before what is only meant. Payments still to come choose their lots anew."""
    for row in conn.execute(
        select(wallet_reliefs).where(
            wallet_reliefs.c.wallet_id == wallet_id,
            wallet_reliefs.c.state == ReliefState.PLANNED.value,
        )
    ).all():
        _give_back(conn, row, row.amount_sat)


def _give_back(conn: Connection, row: Row[Any], taken: int) -> None:
    values: dict[str, Any] = {"amount_sat": row.amount_sat - taken}
    if taken == row.amount_sat:
        values = {"state": ReliefState.UNDONE.value}
    conn.execute(update(wallet_reliefs).where(wallet_reliefs.c.id == row.id).values(**values))
    commit_reliefs(conn, [Relief(row.lot_id, -taken)])
