"""Entries, lots and reliefs of what a block moved, and taking them back.

A block that is disconnected voids the entries of its transactions, and gives back to the lots what
they relieved; a payment's plan is a plan again. Entries in a locked period never change: what was
disconnected there is undone by a correcting entry in the open one, with its own reliefs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, update

from controller.audit import queue_leaf
from controller.storage.tables import (
    wallet_entries,
    wallet_lots,
    wallet_periods,
    wallet_reliefs,
)
from controller.wallets.books.lots import Origin, Relief, ReliefState
from controller.wallets.books.movements import Kind, Movement
from controller.wallets.books.planning import (
    choose_lots,
    commit_reliefs,
    planned_reliefs,
    take_all_plans,
)
from controller.wallets.books.prices import Price, PriceSource
from shared.bitcoin.transaction import display

_corrected = wallet_entries.alias("corrections")


@dataclass(frozen=True, slots=True)
class Block:
    """Where something stands in the chain."""

    height: int
    block_hash: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class Posted:
    """A transaction's movements, its block, and the reservations whose coins it spends."""

    txid: bytes
    block: Block
    movements: Sequence[Movement]
    reservations: Sequence[str]


def locked_until(conn: Connection, wallet_id: int) -> int:
    """The cut-off height of the last locked period, -1 where there is none."""
    height: int | None = conn.scalar(
        select(func.max(wallet_periods.c.to_height)).where(wallet_periods.c.wallet_id == wallet_id)
    )
    return -1 if height is None else height


def post(
    conn: Connection, posted: Posted, wallets: dict[int, Row[Any]], prices: PriceSource
) -> None:
    """Enters the movements of a transaction of a connected block."""
    for movement in posted.movements:
        wallet = wallets[movement.wallet_id]
        reservation = _reservation_of(conn, movement, posted)
        entry_id = _enter(conn, movement, posted, reservation)
        if movement.kind is Kind.IN:
            _add_lots(conn, movement, posted, prices)
        else:
            _relieve(conn, movement, posted, entry_id, wallet)


def _reservation_of(conn: Connection, movement: Movement, posted: Posted) -> str | None:
    if movement.kind is Kind.IN:
        return None
    for reservation in posted.reservations:
        if planned_reliefs(conn, movement.wallet_id, [reservation]):
            return reservation
    return next(iter(posted.reservations), None)


def _enter(conn: Connection, movement: Movement, posted: Posted, reservation: str | None) -> int:
    block = posted.block
    entry_id: int = conn.execute(
        insert(wallet_entries)
        .values(
            wallet_id=movement.wallet_id,
            kind=movement.kind.value,
            amount_sat=movement.amount_sat,
            txid=posted.txid,
            other_wallet_id=movement.other_wallet_id,
            fee_included=int(movement.fee_included),
            height=block.height,
            block_hash=block.block_hash,
            time_ms=block.time_ms,
            booked_height=max(block.height, locked_until(conn, movement.wallet_id) + 1),
            reservation_id=reservation,
        )
        .returning(wallet_entries.c.id)
    ).scalar_one()
    return entry_id


def _relieve(
    conn: Connection, movement: Movement, posted: Posted, entry_id: int, wallet: Row[Any]
) -> None:
    """Books what was planned, up to the amount; what is missing is chosen now."""
    left = movement.amount_sat
    for row in planned_reliefs(conn, movement.wallet_id, posted.reservations):
        if left == 0:
            break
        taken = min(left, row.amount_sat)
        _book_planned(conn, row, taken, entry_id)
        left -= taken
    if left == 0:
        return
    reliefs = choose_lots(conn, wallet, left)
    if reliefs is None:
        take_all_plans(conn, movement.wallet_id)
        reliefs = choose_lots(conn, wallet, left, must=True)
    commit_reliefs(conn, reliefs or [])
    _insert(conn, movement.wallet_id, reliefs or [], entry_id)


def _book_planned(conn: Connection, row: Row[Any], taken: int, entry_id: int) -> None:
    """The part of a plan that is booked now; the rest stays planned."""
    if taken < row.amount_sat:
        conn.execute(
            update(wallet_reliefs)
            .where(wallet_reliefs.c.id == row.id)
            .values(amount_sat=row.amount_sat - taken)
        )
        conn.execute(
            insert(wallet_reliefs).values(
                lot_id=row.lot_id,
                wallet_id=row.wallet_id,
                amount_sat=taken,
                state=ReliefState.BOOKED.value,
                reservation_id=row.reservation_id,
                entry_id=entry_id,
                is_planned=1,
            )
        )
        return
    conn.execute(
        update(wallet_reliefs)
        .where(wallet_reliefs.c.id == row.id)
        .values(state=ReliefState.BOOKED.value, entry_id=entry_id)
    )


def _insert(conn: Connection, wallet_id: int, reliefs: Sequence[Relief], entry_id: int) -> None:
    rows = [
        {
            "lot_id": one.lot_id,
            "wallet_id": wallet_id,
            "amount_sat": one.amount_sat,
            "state": ReliefState.BOOKED.value,
            "entry_id": entry_id,
            "is_planned": 0,
        }
        for one in reliefs
    ]
    if rows:
        conn.execute(insert(wallet_reliefs), rows)


def _add_lots(conn: Connection, movement: Movement, posted: Posted, prices: PriceSource) -> None:
    block = posted.block
    common = {
        "wallet_id": movement.wallet_id,
        "txid": posted.txid,
        "committed_sat": 0,
        "created_height": block.height,
        "created_hash": block.block_hash,
    }
    carried = _carried(conn, movement, posted.txid)
    price = prices.price_at(block.time_ms)
    known = isinstance(price, Price)
    fresh = {
        "acquired_ms": block.time_ms,
        "origin": (movement.origin or Origin.RECEIVED).value,
        "price": price.text if isinstance(price, Price) else None,
        "price_currency": price.currency if isinstance(price, Price) else None,
        "price_source": price.source if isinstance(price, Price) else None,
        "price_problem": None if isinstance(price, Price) else price.reason,
        "carried_from": None,
    }
    if movement.origin is Origin.TRANSFERRED and not known:
        fresh["price_problem"] = "moved from a wallet whose lots are not known"
    rows: list[dict[str, Any]] = []
    for one in movement.acquired:
        left = one.amount_sat
        while left:
            source, available = carried[0] if carried else (fresh, left)
            taken = min(left, available)
            rows.append({**common, **source, "vout": one.vout, "amount_sat": taken})
            left -= taken
            if carried:
                carried[:1] = [(source, available - taken)] if available > taken else []
    conn.execute(insert(wallet_lots), rows)


def _carried(conn: Connection, movement: Movement, txid: bytes) -> list[tuple[dict[str, Any], int]]:
    """What a transfer brings along: the lots that it relieved where it came from, in order, less
    what went to others before."""
    if movement.origin is not Origin.TRANSFERRED:
        return []
    rows = conn.execute(
        select(wallet_lots, wallet_reliefs.c.amount_sat.label("relieved_sat"))
        .join(wallet_reliefs, wallet_reliefs.c.lot_id == wallet_lots.c.id)
        .join(wallet_entries, wallet_entries.c.id == wallet_reliefs.c.entry_id)
        .where(
            wallet_entries.c.wallet_id == movement.other_wallet_id,
            wallet_entries.c.txid == txid,
            wallet_entries.c.kind == Kind.OUT.value,
            wallet_entries.c.voided_ms.is_(None),
            wallet_reliefs.c.state == ReliefState.BOOKED.value,
            wallet_reliefs.c.amount_sat > 0,
            ~exists(select(_corrected.c.id).where(_corrected.c.corrects_id == wallet_entries.c.id)),
        )
        .order_by(wallet_reliefs.c.id)
    ).all()
    return [
        (
            {
                "acquired_ms": row.acquired_ms,
                "origin": Origin.TRANSFERRED.value,
                "price": row.price,
                "price_currency": row.price_currency,
                "price_source": row.price_source,
                "price_problem": row.price_problem,
                "carried_from": row.id,
            },
            row.relieved_sat,
        )
        for row in rows
    ]


def unpost(conn: Connection, wallet_id: int, block: Block, *, now_ms: int) -> None:
    """Takes back what the wallet's entries say of a block that is disconnected."""
    locked = locked_until(conn, wallet_id)
    entries = conn.execute(
        select(wallet_entries)
        .where(
            wallet_entries.c.wallet_id == wallet_id,
            wallet_entries.c.height == block.height,
            wallet_entries.c.block_hash == block.block_hash,
            wallet_entries.c.voided_ms.is_(None),
            wallet_entries.c.corrects_id.is_(None),
            ~exists(select(_corrected.c.id).where(_corrected.c.corrects_id == wallet_entries.c.id)),
        )
        .order_by(wallet_entries.c.id.desc())
    ).all()
    for entry in entries:
        if entry.booked_height <= locked:
            _correct(conn, entry, locked, now_ms)
        else:
            _void(conn, entry, now_ms)
    _end_lots(conn, wallet_id, block, now_ms)


def _booked(conn: Connection, entry: Row[Any]) -> Sequence[Row[Any]]:
    return conn.execute(
        select(wallet_reliefs).where(
            wallet_reliefs.c.entry_id == entry.id,
            wallet_reliefs.c.state == ReliefState.BOOKED.value,
        )
    ).all()


def _void(conn: Connection, entry: Row[Any], now_ms: int) -> None:
    conn.execute(
        update(wallet_entries).where(wallet_entries.c.id == entry.id).values(voided_ms=now_ms)
    )
    for row in _booked(conn, entry):
        stays = row.reservation_id is not None
        conn.execute(
            update(wallet_reliefs)
            .where(wallet_reliefs.c.id == row.id)
            .values(
                state=(ReliefState.PLANNED if stays else ReliefState.UNDONE).value,
                entry_id=None if stays else row.entry_id,
            )
        )
        if not stays:
            commit_reliefs(conn, [Relief(row.lot_id, -row.amount_sat)])


def _correct(conn: Connection, entry: Row[Any], locked: int, now_ms: int) -> None:
    same = ("wallet_id", "kind", "txid", "other_wallet_id", "fee_included", "height")
    copied = {name: getattr(entry, name) for name in (*same, "block_hash", "reservation_id")}
    correction_id = conn.execute(
        insert(wallet_entries)
        .values(
            **copied,
            amount_sat=-entry.amount_sat,
            time_ms=now_ms,
            booked_height=locked + 1,
            corrects_id=entry.id,
        )
        .returning(wallet_entries.c.id)
    ).scalar_one()
    given_back = [Relief(row.lot_id, -row.amount_sat) for row in _booked(conn, entry)]
    commit_reliefs(conn, given_back)
    _insert(conn, entry.wallet_id, given_back, correction_id)
    queue_leaf(
        conn,
        kind="wallet.locked_entry_corrected",
        actor="controller",
        subject=f"wallet {entry.wallet_id}",
        data={
            "entry": entry.id,
            "kind": entry.kind,
            "amount_sat": entry.amount_sat,
            "transaction": display(entry.txid),
            "height": entry.height,
            "block": display(entry.block_hash),
        },
        now_ms=now_ms,
    )


def _end_lots(conn: Connection, wallet_id: int, block: Block, now_ms: int) -> None:
    """The lots of the block are gone, and every plan for them with them."""
    gone = (
        wallet_lots.c.wallet_id == wallet_id,
        wallet_lots.c.created_height == block.height,
        wallet_lots.c.created_hash == block.block_hash,
        wallet_lots.c.gone_ms.is_(None),
    )
    ids = [row.id for row in conn.execute(select(wallet_lots.c.id).where(*gone))]
    for lot_id in ids:
        conn.execute(
            update(wallet_reliefs)
            .where(
                wallet_reliefs.c.lot_id == lot_id,
                wallet_reliefs.c.state == ReliefState.PLANNED.value,
            )
            .values(state=ReliefState.UNDONE.value)
        )
        conn.execute(
            update(wallet_lots)
            .where(wallet_lots.c.id == lot_id)
            .values(gone_ms=now_ms, committed_sat=0, version=wallet_lots.c.version + 1)
        )
