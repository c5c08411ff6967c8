"""The refresh calendar of a wallet in the database."""

from sqlalchemy import Connection, select

from controller.errors import ConflictError
from controller.storage.tables import wallet_coins
from controller.wallets.coin_life import Standing
from controller.wallets.refresh import (
    LOCK_TIME_THRESHOLD,
    MOST_BLOCKS,
    Entry,
    Held,
    Opening,
    RefreshRules,
    calendar,
)
from controller.wallets.registry import find_wallet
from shared.bitcoin.descriptors import Descriptor, parse
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint


def openings_of(descriptor: Descriptor) -> tuple[Opening, ...]:
    """What opens the paths of a descriptor that are not open from the start.

    A path with both locks opens with the later one, which depends on the coin: the calendar takes
    the earlier, and so moves it too soon rather than too late. `ConflictError` for locks by time:
    the calendar is one of heights.
    """
    openings: set[Opening] = set()
    for one in descriptor.paths:
        older, after = one.path.older, one.path.after
        if older > MOST_BLOCKS or after >= LOCK_TIME_THRESHOLD:
            raise ConflictError("a path is locked by time, and the calendar is one of heights")
        if older:
            openings.add(Opening(older_blocks=older))
        if after:
            openings.add(Opening(after_height=after))
    return tuple(sorted(openings, key=lambda one: (one.older_blocks or 0, one.after_height or 0)))


def wallet_calendar(conn: Connection, wallet_id: int, rules: RefreshRules) -> list[Entry]:
    """The unspent confirmed coins of a wallet that have to be moved one day, held ones too: a
    reservation or a pledge does not keep a path from opening."""
    wallet = find_wallet(conn, wallet_id)
    openings = openings_of(parse(wallet.descriptor, Network(wallet.network)))
    if not openings:
        return []
    rows = conn.execute(
        select(
            wallet_coins.c.txid,
            wallet_coins.c.vout,
            wallet_coins.c.amount_sat,
            wallet_coins.c.created_height,
        ).where(
            wallet_coins.c.wallet_id == wallet_id,
            wallet_coins.c.standing.in_(
                [Standing.IMMATURE.value, Standing.CONFIRMED.value, Standing.FINAL.value]
            ),
        )
    )
    coins = (
        Held(OutPoint(row.txid, row.vout), row.amount_sat, row.created_height, openings)
        for row in rows
    )
    return calendar(coins, rules)
