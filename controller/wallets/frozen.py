"""Outputs that a label calls not spendable (BIP329): left alone by every choice."""

from sqlalchemy import Connection, select

from controller.storage.tables import wallet_labels
from controller.wallets.bip329 import LabelType


def frozen_outputs(conn: Connection, wallet_id: int) -> frozenset[str]:
    """Their outpoints as text."""
    rows = conn.execute(
        select(wallet_labels.c.ref).where(
            wallet_labels.c.wallet_id == wallet_id,
            wallet_labels.c.type == LabelType.OUTPUT.value,
            wallet_labels.c.spendable == 0,
        )
    )
    return frozenset(row.ref for row in rows)
