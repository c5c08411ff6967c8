"""Reservations: a coin is for one payment, and which lots it relieves is fixed with it.

Two payments cannot share a coin: a coin is taken by compare-and-set on its version, under the lock
of its wallet, and whoever comes second changes nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from controller.audit import queue_leaf
from controller.errors import ConflictError, MissingError
from controller.storage.tables import wallet_coins, wallet_reservations
from controller.wallets.books.lots import Method
from controller.wallets.books.planning import drop_plans, plan, shrink_plan
from controller.wallets.coin_facts import find_coins
from controller.wallets.coin_life import CoinState, Hold, HoldEvent, Standing, held_after, shown
from controller.wallets.frozen import frozen_outputs
from controller.wallets.registry import lock_wallet
from controller.wallets.reservation_life import ReservationEvent, ReservationState, after
from controller.wallets.selection.coins import FINAL_AND_OWN_CHANGE, SELECTABLE
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError

MOST_COINS = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A coin and the version of its row that it was chosen at."""

    outpoint: OutPoint
    version: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is reserved: `relief_sat` is what will leave the wallet, outputs to others and fee.

    `method` None is the wallet's own; `named` lots are for the method of that name.
    """

    wallet_id: int
    purpose: str
    coins: tuple[Wanted, ...]
    relief_sat: int
    method: Method | None = None
    named: tuple[int, ...] = ()
    allowed: frozenset[CoinState] = FINAL_AND_OWN_CHANGE

    def __post_init__(self) -> None:
        if not 1 <= len(self.coins) <= MOST_COINS:
            raise BadInputError("coins", str(len(self.coins)), f"from 1 to {MOST_COINS}")
        if len({one.outpoint for one in self.coins}) != len(self.coins):
            raise BadInputError("coins", "a coin twice", "each coin once")
        if not 1 <= len(self.purpose) <= 200 or not self.purpose.isprintable():
            raise BadInputError("purpose", repr(self.purpose[:80]), "1 to 200 printable characters")
        if not self.allowed <= SELECTABLE:
            raise BadInputError("allowed", ", ".join(sorted(self.allowed)), "pending to final")


def reserve(conn: Connection, request: Request, *, actor: str, now_ms: int) -> str:
    """Takes the coins and plans the lots; the reservation's id.

    `ConflictError` where a coin changed since it was chosen, or the purpose has a reservation.
    """
    wallet = lock_wallet(conn, request.wallet_id)
    _check_purpose(conn, request)
    rows = _check_coins(conn, request)
    total = sum(row.amount_sat for row in rows)
    if not 0 < request.relief_sat <= total:
        raise BadInputError("relief_sat", str(request.relief_sat), f"from 1 to {total}")
    method = request.method if request.method is not None else Method(wallet.relief_method)
    reservation_id = str(uuid.uuid4())
    conn.execute(
        insert(wallet_reservations).values(
            id=reservation_id,
            wallet_id=request.wallet_id,
            purpose=request.purpose,
            state=ReservationState.HELD.value,
            method=method.value,
            relief_sat=request.relief_sat,
            created_ms=now_ms,
        )
    )
    _take(conn, wallet, rows, reservation_id)
    reliefs = plan(
        conn,
        request.wallet_id,
        reservation_id,
        request.relief_sat,
        method=method,
        named=request.named,
    )
    queue_leaf(
        conn,
        kind="wallet.coins_reserved",
        actor=actor,
        subject=reservation_id,
        data={
            "wallet": request.wallet_id,
            "purpose": request.purpose,
            "coins": sorted(one.outpoint.hex for one in request.coins),
            "relief_sat": request.relief_sat,
            "method": method.value,
            "lots": [[one.lot_id, one.amount_sat] for one in reliefs],
        },
        now_ms=now_ms,
    )
    return reservation_id


def _check_purpose(conn: Connection, request: Request) -> None:
    open_one = select(wallet_reservations.c.id).where(
        wallet_reservations.c.wallet_id == request.wallet_id,
        wallet_reservations.c.purpose == request.purpose,
        wallet_reservations.c.state != ReservationState.RELEASED.value,
    )
    if conn.execute(open_one).first() is not None:
        raise ConflictError(f"{request.purpose!r} has a reservation already")


def _check_coins(conn: Connection, request: Request) -> list[Row[Any]]:
    """The coins as they are; `ConflictError` naming the first that cannot be taken."""
    wanted = {one.outpoint: one.version for one in request.coins}
    found = {
        outpoint: row
        for outpoint, row in find_coins(conn, wanted.keys()).items()
        if row.wallet_id == request.wallet_id
    }
    frozen = frozen_outputs(conn, request.wallet_id)
    for outpoint, version in wanted.items():
        row = found.get(outpoint)
        if row is None:
            raise MissingError("coin of the wallet", outpoint.hex)
        state = shown(Standing(row.standing), Hold(row.hold))
        is_foreign = state is CoinState.PENDING and not row.is_own_change
        if state not in request.allowed or is_foreign:
            raise ConflictError(f"the coin {outpoint.hex} is {state}")
        if outpoint.hex in frozen:
            raise ConflictError(f"the coin {outpoint.hex} is labelled not spendable")
        if row.version != version:
            raise ConflictError(f"the coin {outpoint.hex} has changed since it was chosen")
    return list(found.values())


def _take(
    conn: Connection, wallet: Row[Any], rows: Sequence[Row[Any]], reservation_id: str
) -> None:
    hold = held_after(Hold.FREE, HoldEvent.RESERVED) or Hold.FREE
    for row in rows:
        taken = conn.execute(
            update(wallet_coins)
            .where(
                wallet_coins.c.id == row.id,
                wallet_coins.c.version == row.version,
                wallet_coins.c.hold == Hold.FREE.value,
            )
            .values(
                hold=hold.value,
                reservation_id=reservation_id,
                revision=wallet.revision,
                version=row.version + 1,
            )
        )
        if taken.rowcount != 1:
            raise ConflictError("a coin was taken by another payment meanwhile")


def find_reservation(conn: Connection, reservation_id: str) -> Row[Any]:
    """The reservation's row; `MissingError` where there is none."""
    row = conn.execute(
        select(wallet_reservations).where(wallet_reservations.c.id == reservation_id)
    ).one_or_none()
    if row is None:
        raise MissingError("reservation", reservation_id)
    return row


def _set(conn: Connection, row: Row[Any], **values: Any) -> None:
    changed = conn.execute(
        update(wallet_reservations)
        .where(wallet_reservations.c.id == row.id, wallet_reservations.c.version == row.version)
        .values(version=row.version + 1, **values)
    )
    if changed.rowcount != 1:
        raise ConflictError(f"the reservation {row.id} has changed meanwhile")


def replan(
    conn: Connection,
    reservation_id: str,
    relief_sat: int,
    *,
    version: int,
    actor: str,
    now_ms: int,
) -> None:
    """Makes the plan fit another fee, before the replacement is signed.

    `version` is the reservation's that the new fee was worked out on.
    """
    row = find_reservation(conn, reservation_id)
    lock_wallet(conn, row.wallet_id)
    row = find_reservation(conn, reservation_id)
    if row.version != version or row.state != ReservationState.HELD.value:
        raise ConflictError(f"the reservation {reservation_id} has changed meanwhile")
    total = sum(coin.amount_sat for coin in _coins(conn, reservation_id))
    if not 0 < relief_sat <= total:
        raise BadInputError("relief_sat", str(relief_sat), f"from 1 to {total}")
    more = relief_sat - row.relief_sat
    if more < 0:
        shrink_plan(conn, row.wallet_id, reservation_id, -more)
    elif more > 0:
        method = Method(row.method)
        by = Method.FIFO if method is Method.NAMED else method
        plan(conn, row.wallet_id, reservation_id, more, method=by)
    _set(conn, row, relief_sat=relief_sat)
    queue_leaf(
        conn,
        kind="wallet.relief_replanned",
        actor=actor,
        subject=reservation_id,
        data={"relief_sat": relief_sat, "before_sat": row.relief_sat},
        now_ms=now_ms,
    )


def _coins(conn: Connection, reservation_id: str) -> Sequence[Row[Any]]:
    return conn.execute(
        select(wallet_coins).where(wallet_coins.c.reservation_id == reservation_id)
    ).all()


def release(conn: Connection, reservation_id: str, *, actor: str, now_ms: int) -> None:
    """Gives the coins and the lots back.

    `ConflictError` where a transaction spends one of them: then it is not given up.
    """
    row = find_reservation(conn, reservation_id)
    wallet = lock_wallet(conn, row.wallet_id)
    row = find_reservation(conn, reservation_id)
    state = after(ReservationState(row.state), ReservationEvent.RELEASED)
    coins = _coins(conn, reservation_id)
    if state is None or any(coin.standing == Standing.SPENT.value for coin in coins):
        raise ConflictError(f"the reservation {reservation_id} is {row.state}, or its coins spent")
    for coin in coins:
        hold = held_after(Hold(coin.hold), HoldEvent.RELEASED) or Hold(coin.hold)
        conn.execute(
            update(wallet_coins)
            .where(wallet_coins.c.id == coin.id)
            .values(
                hold=hold.value,
                reservation_id=None,
                revision=wallet.revision,
                version=wallet_coins.c.version + 1,
            )
        )
    drop_plans(conn, row.wallet_id, [reservation_id])
    _set(conn, row, state=state.value, ended_ms=now_ms)
    queue_leaf(
        conn,
        kind="wallet.coins_released",
        actor=actor,
        subject=reservation_id,
        data={"wallet": row.wallet_id, "purpose": row.purpose},
        now_ms=now_ms,
    )


def reservation_mined(conn: Connection, reservations: Sequence[str]) -> None:
    """A transaction that spends their coins is in a block: what the plan has too much is given
    back."""
    for reservation_id in reservations:
        row = find_reservation(conn, reservation_id)
        drop_plans(conn, row.wallet_id, [reservation_id])
        state = after(ReservationState(row.state), ReservationEvent.MINED)
        if state is not None:
            _set(conn, row, state=state.value)


def reservation_unmined(conn: Connection, wallet_id: int, reservations: Sequence[str]) -> None:
    """That block is disconnected: they are held again."""
    for reservation_id in reservations:
        row = find_reservation(conn, reservation_id)
        state = after(ReservationState(row.state), ReservationEvent.UNMINED)
        if state is not None and row.wallet_id == wallet_id:
            _set(conn, row, state=state.value)
