"""What the exports write: a wallet's entries up to a cut-off block, each with its lots."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.storage.tables import wallet_entries, wallet_lots, wallet_reliefs
from controller.wallets.books.lots import Origin, ReliefState
from controller.wallets.books.movements import Kind
from controller.wallets.books.periods import Cut, cut
from controller.wallets.books.planning import lot_of
from controller.wallets.books.prices import PriceOrReason
from controller.wallets.registry import find_wallet
from shared.bitcoin.transaction import display


@dataclass(frozen=True, slots=True)
class LotPart:
    """So much of a lot, with the time and price it was acquired at."""

    lot_id: int
    amount_sat: int
    acquired_ms: int
    origin: Origin
    price: PriceOrReason


@dataclass(frozen=True, slots=True)
class Line:
    """One entry; `amount_sat` is below 0 in a correction, and so are its parts'."""

    id: int
    kind: Kind
    amount_sat: int
    transaction: str
    height: int
    block: str
    time_ms: int
    booked_height: int
    corrects_id: int | None
    other_wallet: str | None
    fee_included: bool
    reservation_id: str | None
    parts: tuple[LotPart, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """A wallet's entries from its first block to the cut-off, and the figures of its open period.

    Entries of locked periods are among the lines.
    """

    organisation: str
    wallet: str
    cut: Cut
    lines: tuple[Line, ...]


def export(conn: Connection, wallet_id: int, to_height: int) -> Export:
    """Everything that counts up to a cut-off block; refuses what `periods.cut` refuses."""
    wallet = find_wallet(conn, wallet_id)
    made = cut(conn, wallet_id, to_height)
    entries = conn.execute(
        select(wallet_entries)
        .where(
            wallet_entries.c.wallet_id == wallet_id,
            wallet_entries.c.voided_ms.is_(None),
            wallet_entries.c.booked_height <= to_height,
        )
        .order_by(wallet_entries.c.booked_height, wallet_entries.c.id)
    ).all()
    relieved = _relieved(conn, wallet_id)
    acquired = _acquired(conn, wallet_id)
    names: dict[int, str] = {}
    for number in {one.other_wallet_id for one in entries if one.other_wallet_id is not None}:
        other = find_wallet(conn, number)
        names[number] = f"{other.organisation}/{other.name}"
    lines = tuple(_line(one, relieved, acquired, names) for one in entries)
    return Export(wallet.organisation, wallet.name, made, lines)


def _relieved(conn: Connection, wallet_id: int) -> dict[int, list[LotPart]]:
    """The parts of lots by the entry that relieves them."""
    rows = conn.execute(
        select(
            wallet_lots,
            wallet_reliefs.c.entry_id,
            wallet_reliefs.c.amount_sat.label("relieved_sat"),
        )
        .join(wallet_reliefs, wallet_reliefs.c.lot_id == wallet_lots.c.id)
        .where(
            wallet_reliefs.c.wallet_id == wallet_id,
            wallet_reliefs.c.state == ReliefState.BOOKED.value,
        )
        .order_by(wallet_reliefs.c.id)
    )
    found: dict[int, list[LotPart]] = {}
    for row in rows:
        found.setdefault(row.entry_id, []).append(_part(row, row.relieved_sat))
    return found


def _acquired(conn: Connection, wallet_id: int) -> dict[tuple[bytes, bytes], list[LotPart]]:
    """The lots by their transaction and block."""
    rows = conn.execute(
        select(wallet_lots).where(wallet_lots.c.wallet_id == wallet_id).order_by(wallet_lots.c.id)
    )
    found: dict[tuple[bytes, bytes], list[LotPart]] = {}
    for row in rows:
        found.setdefault((row.txid, row.created_hash), []).append(_part(row, row.amount_sat))
    return found


def _part(row: Row[Any], amount_sat: int) -> LotPart:
    lot = lot_of(row)
    return LotPart(lot.id, amount_sat, lot.acquired_ms, lot.origin, lot.price)


def _line(
    entry: Row[Any],
    relieved: dict[int, list[LotPart]],
    acquired: dict[tuple[bytes, bytes], list[LotPart]],
    names: dict[int, str],
) -> Line:
    parts: Sequence[LotPart] = relieved.get(entry.id, [])
    if Kind(entry.kind) is Kind.IN:
        parts = _of_income(entry, acquired.get((entry.txid, entry.block_hash), []))
    return Line(
        id=entry.id,
        kind=Kind(entry.kind),
        amount_sat=entry.amount_sat,
        transaction=display(entry.txid),
        height=entry.height,
        block=display(entry.block_hash),
        time_ms=entry.time_ms,
        booked_height=entry.booked_height,
        corrects_id=entry.corrects_id,
        other_wallet=names.get(entry.other_wallet_id),
        fee_included=bool(entry.fee_included),
        reservation_id=entry.reservation_id,
        parts=tuple(parts),
    )


def _of_income(entry: Row[Any], parts: Sequence[LotPart]) -> list[LotPart]:
    """The lots of an income. A block that came back after its entry was corrected has made its lots
    anew: the first of them that sum up to the entry are meant."""
    sign = -1 if entry.amount_sat < 0 else 1
    chosen: list[LotPart] = []
    left = abs(entry.amount_sat)
    for one in parts:
        if left == 0:
            break
        chosen.append(
            LotPart(one.lot_id, sign * one.amount_sat, one.acquired_ms, one.origin, one.price)
        )
        left -= one.amount_sat
    return chosen
