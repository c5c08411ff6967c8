"""A wallet's coins in memory, to choose from: read once, then only what changed since."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from controller.storage.tables import wallet_coins
from controller.wallets.coin_life import CoinState, Hold, Standing, shown
from controller.wallets.frozen import frozen_outputs
from controller.wallets.registry import find_wallet
from controller.wallets.selection.coins import (
    FINAL_AND_OWN_CHANGE,
    CoinPool,
    PendingParent,
    Spendable,
)
from shared.bitcoin.transaction import OutPoint

_MOST_ANCESTORS = 100
_COLUMNS = (
    wallet_coins.c.txid,
    wallet_coins.c.vout,
    wallet_coins.c.amount_sat,
    wallet_coins.c.standing,
    wallet_coins.c.hold,
    wallet_coins.c.is_own_change,
    wallet_coins.c.tx_version,
    wallet_coins.c.version,
)


class OpenWallet:
    """The pool of a wallet's coins in the allowed states, as of `revision`."""

    def __init__(self, wallet: Row[Any], allowed: frozenset[CoinState]) -> None:
        self.wallet_id: int = wallet.id
        self.organisation: str = wallet.organisation
        self.revision = 0
        self._weight: int = wallet.input_weight
        self._allowed = allowed
        self.pool = CoinPool(self.organisation, (), allowed)

    def catch_up(self, conn: Connection) -> int:
        """Takes in what changed since `revision`; how many coins did."""
        row = find_wallet(conn, self.wallet_id)
        changed: Sequence[Any] = conn.execute(
            select(*_COLUMNS).where(
                wallet_coins.c.wallet_id == self.wallet_id,
                wallet_coins.c.revision > self.revision,
            )
        ).all()
        is_first = len(self.pool) == 0
        coins = self._spendable(changed)
        if is_first:
            self.pool = CoinPool(self.organisation, coins, self._allowed)
        else:
            for one in changed:
                self.pool.discard(OutPoint(one.txid, one.vout))
            for coin in coins:
                self.pool.add(coin)
        self._renew_pending(conn)
        for frozen in frozen_outputs(conn, self.wallet_id):
            self.pool.discard(OutPoint.of_text(frozen))
        self.revision = row.revision
        return len(changed)

    def _spendable(self, rows: Iterable[Any]) -> list[Spendable]:
        """The coins of confirmed transactions in allowed states."""
        organisation, weight = self.organisation, self._weight
        states = {
            (standing.value, hold.value): shown(standing, hold)
            for standing in Standing
            for hold in Hold
        }
        wanted = {
            key: state
            for key, state in states.items()
            if state in self._allowed and state is not CoinState.PENDING
        }
        return [
            Spendable(
                OutPoint(txid, vout), amount, weight, organisation, state, bool(own), None, version
            )
            for txid, vout, amount, standing, hold, own, _, version in rows
            if (state := wanted.get((standing, hold))) is not None
        ]

    def _renew_pending(self, conn: Connection) -> None:
        """Reads all pending own change anew: few coins, whose parents change by themselves."""
        for coin in self.pool.pending:
            self.pool.discard(coin.outpoint)
        if CoinState.PENDING not in self._allowed:
            return
        rows: Sequence[Any] = conn.execute(
            select(*_COLUMNS).where(
                wallet_coins.c.wallet_id == self.wallet_id,
                wallet_coins.c.standing == Standing.PENDING.value,
                wallet_coins.c.hold == Hold.FREE.value,
                wallet_coins.c.is_own_change == 1,
            )
        ).all()
        for row in rows:
            self.pool.add(
                Spendable(
                    OutPoint(row.txid, row.vout),
                    row.amount_sat,
                    self._weight,
                    self.organisation,
                    CoinState.PENDING,
                    is_own_change=True,
                    pending_parent=_parent(conn, row),
                    version=row.version,
                )
            )


def open_wallet(
    conn: Connection, wallet_id: int, allowed: frozenset[CoinState] = FINAL_AND_OWN_CHANGE
) -> OpenWallet:
    """The wallet's coins in the allowed states."""
    opened = OpenWallet(find_wallet(conn, wallet_id), allowed)
    opened.catch_up(conn)
    return opened


def _parent(conn: Connection, row: Row[Any]) -> PendingParent:
    has_child = conn.execute(
        select(wallet_coins.c.id)
        .where(wallet_coins.c.txid == row.txid, wallet_coins.c.spent_txid.is_not(None))
        .limit(1)
    ).first()
    return PendingParent(
        row.txid, row.tx_version, _ancestors(conn, row.txid), has_child is not None
    )


def _ancestors(conn: Connection, txid: bytes) -> int:
    """How many unconfirmed transactions it rests on, through coins of ours."""
    found: set[bytes] = set()
    layer = {txid}
    while layer and len(found) <= _MOST_ANCESTORS:
        parents = conn.execute(
            select(wallet_coins.c.txid)
            .where(
                wallet_coins.c.spent_txid.in_(layer),
                wallet_coins.c.created_height.is_(None),
            )
            .distinct()
        )
        layer = {row.txid for row in parents} - found
        found |= layer
    return len(found)
