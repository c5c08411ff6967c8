"""Holds that people and screenings put on coins: tainted, pledged, and their ends."""

from typing import Any

from sqlalchemy import Connection, Row, select

from controller.audit import queue_leaf
from controller.errors import ConflictError, MissingError
from controller.storage.tables import wallet_coins
from controller.wallets.coin_facts import change
from controller.wallets.coin_life import Hold, HoldEvent, held_after
from controller.wallets.registry import lock_wallet
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError

_OF_RESERVATIONS = frozenset({HoldEvent.RESERVED, HoldEvent.RELEASED})


def hold_coin(
    conn: Connection,
    outpoint: OutPoint,
    event: HoldEvent,
    *,
    reason: str,
    actor: str,
    now_ms: int,
) -> Hold:
    """Puts a hold on a coin, or ends it; the hold that it has then.

    A coin that is cleared goes back to its reservation or pledge. `ConflictError` where the event
    does not fit the hold; reservations have their own room.
    """
    if event in _OF_RESERVATIONS:
        raise BadInputError("event", event.value, "tainted, cleared, pledged, redeemed")
    if not 1 <= len(reason) <= 200 or not reason.isprintable():
        raise BadInputError("reason", repr(reason[:80]), "1 to 200 printable characters")
    found = _find(conn, outpoint)
    wallet = lock_wallet(conn, found.wallet_id)
    row = _find(conn, outpoint)
    if event is HoldEvent.CLEARED:
        event = _cleared(row)
    hold = held_after(Hold(row.hold), event)
    if hold is None:
        raise ConflictError(f"the coin {outpoint.hex} is {row.hold}: not to be {event.value}")
    values: dict[str, Any] = {"hold": hold.value, "hold_reason": reason}
    if event is HoldEvent.PLEDGED:
        values["pledged_to"] = reason
    if event is HoldEvent.REDEEMED:
        values["pledged_to"] = None
    if hold is Hold.FREE:
        values["hold_reason"] = None
    change(conn, wallet, row, **values)
    queue_leaf(
        conn,
        kind="wallet.coin_held",
        actor=actor,
        subject=outpoint.hex,
        data={"wallet": row.wallet_id, "event": event.value, "hold": hold.value, "reason": reason},
        now_ms=now_ms,
    )
    return hold


def _find(conn: Connection, outpoint: OutPoint) -> Row[Any]:
    row = conn.execute(
        select(wallet_coins).where(
            wallet_coins.c.txid == outpoint.txid, wallet_coins.c.vout == outpoint.vout
        )
    ).one_or_none()
    if row is None:
        raise MissingError("coin", outpoint.hex)
    return row


def _cleared(row: Row[Any]) -> HoldEvent:
    if row.reservation_id is not None:
        return HoldEvent.CLEARED_RESERVED
    return HoldEvent.CLEARED_PLEDGED if row.pledged_to is not None else HoldEvent.CLEARED
