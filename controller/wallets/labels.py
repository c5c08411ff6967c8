"""Labels of a wallet in the database; outputs that are labelled not spendable are left alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.audit import queue_leaf
from controller.storage.tables import wallet_coins, wallet_labels
from controller.storage.upsert import upsert
from controller.wallets.bip329 import Label, LabelType, read_labels, write_labels
from controller.wallets.coin_facts import change
from controller.wallets.registry import lock_wallet
from shared.bitcoin.transaction import OutPoint

_KEYS = ("wallet_id", "type", "ref", "origin")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many records were taken in, and how many of their labels were cut."""

    labels: int
    cut: int


def import_labels(
    conn: Connection, wallet_id: int, lines: Iterable[bytes], *, actor: str, now_ms: int
) -> Imported:
    """Takes in a BIP329 file: all of it, or nothing with BadInputError naming the line.

    What a record does not tell stays as it is.
    """
    wallet = lock_wallet(conn, wallet_id)
    before = {(one.type, one.ref, one.origin): one for one in _labels(conn, wallet_id)}
    records = list(read_labels(lines))
    merged = dict(before)
    for one in records:
        known = merged.get((one.type, one.ref, one.origin))
        merged[(one.type, one.ref, one.origin)] = _merged(known, one)
    changed = {(one.type, one.ref, one.origin) for one in records}
    rows = [
        {
            "wallet_id": wallet_id,
            "type": one.type.value,
            "ref": one.ref,
            "origin": one.origin,
            "label": one.label,
            "spendable": None if one.spendable is None else int(one.spendable),
            "others": one.others,
            "updated_ms": now_ms,
        }
        for key, one in merged.items()
        if key in changed
    ]
    upsert(conn, wallet_labels, rows, _KEYS)
    for one in records:
        if one.type is LabelType.OUTPUT and one.spendable is not None:
            _touch(conn, wallet, one.ref)
    queue_leaf(
        conn,
        kind="wallet.labels_imported",
        actor=actor,
        subject=f"{wallet.organisation}/{wallet.name}",
        data={"labels": len(records)},
        now_ms=now_ms,
    )
    return Imported(len(records), sum(one.was_cut for one in records))


def _merged(known: Label | None, told: Label) -> Label:
    if known is None:
        return told
    return Label(
        type=told.type,
        ref=told.ref,
        label=known.label if told.label is None else told.label,
        origin=told.origin,
        spendable=known.spendable if told.spendable is None else told.spendable,
        others=told.others if told.others != "{}" else known.others,
    )


def _touch(conn: Connection, wallet: Row[Any], ref: str) -> None:
    """Whoever keeps the coin in memory, or has chosen it already, has to look again."""
    outpoint = OutPoint.of_text(ref)
    row = conn.execute(
        select(wallet_coins).where(
            wallet_coins.c.wallet_id == wallet.id,
            wallet_coins.c.txid == outpoint.txid,
            wallet_coins.c.vout == outpoint.vout,
        )
    ).one_or_none()
    if row is not None:
        change(conn, wallet, row)


def export_labels(conn: Connection, wallet_id: int) -> Iterator[str]:
    """The lines of a BIP329 file, without their ends."""
    return write_labels(_labels(conn, wallet_id))


def _labels(conn: Connection, wallet_id: int) -> list[Label]:
    rows = conn.execute(
        select(wallet_labels)
        .where(wallet_labels.c.wallet_id == wallet_id)
        .order_by(wallet_labels.c.id)
    )
    return [
        Label(
            type=LabelType(row.type),
            ref=row.ref,
            label=row.label,
            origin=row.origin,
            spendable=None if row.spendable is None else bool(row.spendable),
            others=row.others,
        )
        for row in rows
    ]
