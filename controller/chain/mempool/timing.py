"""Whether a transaction may be in the next block: lock times, relative ones, coinbase maturity."""

from collections.abc import Sequence

from controller.chain.blocks import COINBASE_MATURITY, Coin
from controller.chain.mempool.policy import ChainView, RefusedError
from shared.bitcoin.transaction import MAX_SEQUENCE, Transaction

LOCK_TIME_THRESHOLD = 500_000_000
"""A lock time below it is a height, from it on a time in seconds."""

_DISABLED = 1 << 31
_IS_TIME = 1 << 22
_VALUE_MASK = 0xFFFF
_GRANULARITY = 9  # 512 seconds


def is_final(transaction: Transaction, height: int, median_time_s: int) -> bool:
    """Whether a block at `height` after a block of that median time may have it (BIP113)."""
    lock_time = transaction.lock_time
    reached = height if lock_time < LOCK_TIME_THRESHOLD else median_time_s
    if lock_time == 0 or lock_time < reached:
        return True
    return all(one.sequence == MAX_SEQUENCE for one in transaction.inputs)


def sequence_locks_met(
    transaction: Transaction, coin_heights: Sequence[int], chain: ChainView
) -> bool:
    """Whether each input's relative lock time has passed for the next block (BIP68).

    `coin_heights` are where the coins spent were made; the next block's for unconfirmed ones.
    """
    if transaction.version < 2:
        return True
    next_height = chain.tip_height + 1
    for one, height in zip(transaction.inputs, coin_heights, strict=True):
        if one.sequence & _DISABLED:
            continue
        value = one.sequence & _VALUE_MASK
        if one.sequence & _IS_TIME:
            made_s = chain.median_time_s(max(height - 1, 0))
            if made_s + (value << _GRANULARITY) > chain.median_time_s(chain.tip_height):
                return False
        elif height + value > next_height:
            return False
    return True


def check_timing(transaction: Transaction, coins: Sequence[Coin], chain: ChainView) -> None:
    """BIP68 and the maturity of coinbases (100 blocks); raises `RefusedError`."""
    if not sequence_locks_met(transaction, [one.height for one in coins], chain):
        raise RefusedError("non-BIP68-final")
    for coin in coins:
        depth = chain.tip_height + 1 - coin.height
        if coin.is_coinbase and depth < COINBASE_MATURITY:
            raise RefusedError(
                "bad-txns-premature-spend-of-coinbase", f"tried to spend coinbase at depth {depth}"
            )
