"""What left a tier outwards before, for the limits of `tiers`."""

from sqlalchemy import Connection, select

from controller.storage.tables import wallet_entries, wallet_reservations, wallets
from controller.wallets.books.movements import Kind
from controller.wallets.reservation_life import ReservationState
from controller.wallets.tiers import Outflow, Tier, is_inward


def outflows(conn: Connection, organisation: str, tier: Tier, since_ms: int) -> list[Outflow]:
    """The outflows of an organisation's wallets of a tier from `since_ms` on.

    What is reserved and in no block counts as if it left, wherever it is meant to go: so payments
    that are decided at the same time cannot pass a limit together. What a reorganisation took back
    of a locked period still counts, since it may be in a block again.
    """
    of_tier = (wallets.c.organisation == organisation) & (wallets.c.tier == tier.value)
    tiers = {row.id: Tier(row.tier) for row in conn.execute(select(wallets.c.id, wallets.c.tier))}
    entries = conn.execute(
        select(wallet_entries)
        .join(wallets, wallets.c.id == wallet_entries.c.wallet_id)
        .where(
            of_tier,
            wallet_entries.c.kind == Kind.OUT.value,
            wallet_entries.c.voided_ms.is_(None),
            wallet_entries.c.corrects_id.is_(None),
            wallet_entries.c.time_ms >= since_ms,
        )
    ).all()
    held = conn.execute(
        select(wallet_reservations)
        .join(wallets, wallets.c.id == wallet_reservations.c.wallet_id)
        .where(
            of_tier,
            wallet_reservations.c.state == ReservationState.HELD.value,
            wallet_reservations.c.created_ms >= since_ms,
        )
    ).all()
    left = [
        Outflow(row.time_ms, row.amount_sat)
        for row in entries
        if not is_inward(tier, tiers.get(row.other_wallet_id))
    ]
    left += [Outflow(row.created_ms, row.relief_sat) for row in held]
    return sorted(left, key=lambda one: one.time_ms)
