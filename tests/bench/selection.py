"""Choosing coins from a wallet of 100,000, and opening it.

Opening reads every coin that may be spent from a SQLite file and puts them in order; the clock
stops when the first choice could begin. The floor reads the same rows and does nothing with them.

Choosing: payments of one to five outputs, of amounts from dust to thousands of coins' worth, each
at a feerate of its own between 1 and 100 sat/vB, of coins of three weights spread over five
magnitudes; every choice is checked outside the clock (inputs are outputs, change and fee; the
fee reaches the feerate; it wastes no more than the floor). The median and the slowest hundredth; it
stands beside the simplest choice there is, the largest coins first, over the same pool.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert, select

from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from controller.storage.tables import wallet_coins
from controller.wallets.coin_life import Hold, Standing
from controller.wallets.feerates import MAX_STANDARD_WEIGHT, fee_sat
from controller.wallets.opening import open_wallet
from controller.wallets.registry import lock_wallet
from controller.wallets.selection import Choice, CoinPool, Costs, Demand, InsufficientFundsError
from controller.wallets.selection import select as choose
from controller.wallets.selection.draws import Task, largest_first
from controller.wallets.selection.evaluate import Judge
from shared.bitcoin.hashes import sha256
from tests.bench.report import Case, beside, show, write
from tests.wallet_chain import enter_wallet
from tests.wallet_coins import (
    CHANGE_SCRIPT,
    ORGANISATION,
    P2TR_INPUT,
    P2WPKH_INPUT,
    P2WSH_INPUT,
    coin,
    pay,
)

COINS = 100_000
OPENINGS = 5
_A_STEP = 10_000
_LEAST_SAT, _MAGNITUDES = 1_000, 5


def _amount(chance: random.Random) -> int:
    return int(_LEAST_SAT * 10 ** chance.uniform(0, _MAGNITUDES))


def fill(storage: Storage, count: int, chance: random.Random) -> int:
    """A wallet with so many final coins; its id."""
    with storage.write() as conn:
        wallet_id = enter_wallet(conn, "bench")
        lock_wallet(conn, wallet_id)
    for start in range(0, count, _A_STEP):
        rows = [
            {
                "wallet_id": wallet_id,
                "txid": sha256(number.to_bytes(8, "big")),
                "vout": 0,
                "amount_sat": _amount(chance),
                "branch": 0,
                "number": 0,
                "is_coinbase": 0,
                "is_own_change": 0,
                "tx_version": 2,
                "standing": Standing.FINAL.value,
                "created_height": 1 + number % 800_000,
                "created_hash": sha256(b"block"),
                "hold": Hold.FREE.value,
                "revision": 1,
            }
            for number in range(start, min(count, start + _A_STEP))
        ]
        with storage.write() as conn:
            conn.execute(insert(wallet_coins), rows)
    return wallet_id


def measure_opening(storage: Storage, wallet_id: int, count: int) -> list[Case]:
    """Seconds, the median and the slowest; floor and case take turns."""
    floors, times = [], []
    for _ in range(OPENINGS):
        begin = time.perf_counter()
        with storage.read() as conn:
            rows = conn.execute(
                select(wallet_coins).where(wallet_coins.c.wallet_id == wallet_id)
            ).all()
        floors.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with storage.read() as conn:
            opened = open_wallet(conn, wallet_id)
        times.append(time.perf_counter() - begin)
        if not len(opened.pool) == len(rows) == count:
            raise RuntimeError(f"{len(opened.pool)} of {count} coins were opened")
    return [
        beside("open", statistics.median(times), "s", statistics.median(floors)),
        Case("open, slowest", max(times), "s"),
    ]


def checked(choice: Choice, paid_sat: int, costs: Costs, simple: Sequence[Choice]) -> None:
    """RuntimeError where the choice is none, or worse than the simple ones."""
    if choice.total_sat != paid_sat + choice.change_sat + choice.fee_sat:
        raise RuntimeError("the inputs are not the outputs, the change and the fee")
    if choice.fee_sat < fee_sat(costs.feerate, choice.weight):
        raise RuntimeError("the fee does not reach the feerate")
    if any(choice.waste > one.waste for one in simple):
        raise RuntimeError("a simple choice wastes less")


def measure_choosing(pool: CoinPool, count: int, chance: random.Random) -> list[Case]:
    """Milliseconds."""
    times, floors = [], []
    for seed in range(count):
        outputs = pay(*(_amount(chance) * 10 for _ in range(chance.randrange(1, 6))))
        feerate = chance.randrange(1_000, 100_000)
        costs = Costs(feerate, 10_000, CHANGE_SCRIPT, P2TR_INPUT)
        begin = time.perf_counter()
        simple = largest_first(Task(pool, Judge(costs, outputs, MAX_STANDARD_WEIGHT)))
        floors.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        try:
            choice = choose(pool, Demand(outputs, seed), costs)
        except InsufficientFundsError:
            times.append(time.perf_counter() - begin)
            if simple:
                raise
            continue
        times.append(time.perf_counter() - begin)
        checked(choice, sum(one.amount_sat for one in outputs), costs, simple)
    floor_ms = statistics.median(floors) * 1_000
    slowest = sorted(times)[-(len(times) // 100) - 1]
    return [
        beside("choose", statistics.median(times) * 1_000, "ms", floor_ms),
        Case("choose, slowest hundredth", slowest * 1_000, "ms"),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs both and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.selection", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--coins", type=int, default=COINS)
    parser.add_argument("--choices", type=int, default=1_000)
    arguments = parser.parse_args(argv)
    if arguments.coins < 1_000 or arguments.choices < 100:
        parser.error("at least 1000 coins and 100 choices")
    chance = random.Random(100_000)
    with tempfile.TemporaryDirectory(prefix="bes-bench-") as temporary:
        storage = Storage(f"sqlite:///{temporary}/wallet.db")
        migrate(storage)
        wallet_id = fill(storage, arguments.coins, chance)
        cases = measure_opening(storage, wallet_id, arguments.coins)
        storage.close()
    weights = (P2TR_INPUT, P2WPKH_INPUT, P2WSH_INPUT)
    coins = [
        coin(number, _amount(chance), chance.choice(weights)) for number in range(arguments.coins)
    ]
    cases += measure_choosing(CoinPool(ORGANISATION, coins), arguments.choices, chance)
    write(arguments.json, "selection", cases)
    sys.stdout.write(show(cases) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
