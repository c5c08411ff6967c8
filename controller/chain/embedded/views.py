"""What the mempool looks like from outside: an entry with its surroundings, a feerate."""

from controller.chain.blocks import MAX_BLOCK_WEIGHT
from controller.chain.mempool.pool import Pool
from controller.chain.values import FeeEstimate, PoolEntry
from shared.bitcoin.transaction import WITNESS_SCALE_FACTOR

_BLOCK_VSIZE = MAX_BLOCK_WEIGHT // WITNESS_SCALE_FACTOR


def pool_entry(pool: Pool, txid: bytes) -> PoolEntry | None:
    """The entry as `getmempoolentry` tells it; None if there is none."""
    entry = pool.get(txid)
    if entry is None:
        return None
    ancestors = [*pool.entries(pool.ancestors(txid)), entry]
    descendants = [*pool.entries(pool.descendants(txid)), entry]
    return PoolEntry(
        txid=txid,
        wtxid=entry.wtxid,
        vsize=entry.vsize,
        fee_sat=entry.fee_sat,
        time_s=entry.time_s,
        height=entry.height,
        ancestor_count=len(ancestors),
        ancestor_vsize=sum(one.vsize for one in ancestors),
        ancestor_fee_sat=sum(one.fee_sat for one in ancestors),
        descendant_count=len(descendants),
        descendant_vsize=sum(one.vsize for one in descendants),
        descendant_fee_sat=sum(one.fee_sat for one in descendants),
        parents=pool.parents_of(entry.transaction),
        children=pool.children(txid),
    )


def estimate(pool: Pool, target_blocks: int, floor_sat_per_kvb: int) -> FeeEstimate:
    """One satoshi per 1,000 vB more than the first entry that the target's blocks leave out.

    The floor where everything fits.
    """
    room = target_blocks * _BLOCK_VSIZE
    rates = sorted(((one.fee_sat * 1_000 // one.vsize, one.vsize) for one in pool), reverse=True)
    for feerate, vsize in rates:
        room -= vsize
        if room < 0:
            return FeeEstimate(target_blocks, max(floor_sat_per_kvb, feerate + 1))
    return FeeEstimate(target_blocks, floor_sat_per_kvb)
