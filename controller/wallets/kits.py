"""The recovery kit of wallets in the database."""

from collections.abc import Sequence

from sqlalchemy import Connection

from controller.audit import queue_leaf
from controller.wallets.bip329 import read_label
from controller.wallets.labels import export_labels
from controller.wallets.recovery_kit import Kit, KitKey, KitWallet
from controller.wallets.registry import find_wallet
from shared.bitcoin.networks import Network
from shared.errors import BadInputError


def make_kit(
    conn: Connection,
    wallet_ids: Sequence[int],
    keys: Sequence[KitKey],
    *,
    actor: str,
    now_ms: int,
) -> Kit:
    """The kit of these wallets, which are of one network; that it was made is in the audit log."""
    rows = [find_wallet(conn, wallet_id) for wallet_id in wallet_ids]
    if len({row.network for row in rows}) != 1:
        raise BadInputError("wallets", "none, or of several networks", "wallets of one network")
    wallets = []
    for row in rows:
        labels = [read_label(line.encode(), "label") for line in export_labels(conn, row.id)]
        wallets.append(
            KitWallet(
                organisation=row.organisation,
                name=row.name,
                descriptor=row.descriptor,
                birth_height=row.birth_height,
                gap_limit=row.gap_limit,
                labels=tuple(one for one in labels if one is not None),
            )
        )
    queue_leaf(
        conn,
        kind="wallet.recovery_kit_made",
        actor=actor,
        subject=", ".join(f"{one.organisation}/{one.name}" for one in wallets)[:1_000],
        data={"wallets": list(wallet_ids)},
        now_ms=now_ms,
    )
    return Kit(Network(rows[0].network), tuple(wallets), tuple(keys))
