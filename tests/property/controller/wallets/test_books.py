"""Whatever happens to wallets, the books are their coins to the satoshi, and no lot is relieved
twice: receipts, payments, bumps of the fee, spends nobody planned, transfers, coinbases,
reorganisations into locked periods too. The truth is worked out from the blocks alone."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.tables import (
    wallet_coins,
    wallet_entries,
    wallet_lots,
    wallet_periods,
    wallet_reliefs,
    wallet_reservations,
)
from controller.wallets.books.lots import ShortOfLotsError
from controller.wallets.books.periods import coins_at, cut, lock_period, lots_left
from controller.wallets.books.posting import locked_until
from controller.wallets.coin_life import CoinState
from controller.wallets.opening import open_wallet
from controller.wallets.reservations import (
    Request,
    Wanted,
    find_reservation,
    release,
    replan,
    reserve,
)
from controller.wallets.selection import Costs, Demand, SelectionError
from controller.wallets.selection import select as choose
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from tests.wallet_chain import NOW_MS, Chain, MadeUpScripts, enter_wallet, foreign, spend, stranger

NAMES = {1: "a", 2: "b"}
ALLOWED = frozenset({CoinState.PENDING, CoinState.CONFIRMED, CoinState.FINAL})
ACTIONS = [
    *("receive", "mine", "mine", "pay", "pay", "bump", "reorganise", "unplanned"),
    *("transfer", "lock", "coinbase", "release", "lose"),
]
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**6)), min_size=5, max_size=40
)


class World:
    """Two wallets of one organisation, a chain, and a mempool."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.chain = Chain(storage)
        self.mempool: list[Transaction] = []
        self.payments: dict[str, Transaction] = {}
        self.count = 0
        self.locked: dict[Any, Any] = {}
        with storage.write() as conn:
            for name in NAMES.values():
                enter_wallet(conn, name, finality=2)
        self.chain.mine()

    def step(self, action: str, number: int) -> None:
        """One thing that happens."""
        self.count += 1
        getattr(self, action)(number)

    def receive(self, number: int) -> None:
        """Somebody pays to a wallet, in one or two outputs."""
        scripts = MadeUpScripts(NAMES[1 + number % 2])
        paid = [(scripts.script_at(0, number % 5), 5_000 + number)]
        paid += [(scripts.script_at(0, number % 4), 7_000 + number)] * (number % 2)
        self._send(spend([foreign(self.count)], paid))

    def _send(self, transaction: Transaction) -> None:
        inputs = {one.outpoint for one in transaction.inputs}
        replaced = [one for one in self.mempool if inputs & {each.outpoint for each in one.inputs}]
        self._forget(replaced)
        self.mempool.append(transaction)
        self.chain.see(transaction)

    def _forget(self, dropped: list[Transaction]) -> None:
        """Takes transactions and what rests on them out of the mempool."""
        gone = {one.txid for one in dropped}
        for one in self.mempool:
            if any(each.outpoint.txid in gone for each in one.inputs):
                gone.add(one.txid)
        self.mempool = [one for one in self.mempool if one.txid not in gone]

    def mine(self, number: int) -> None:
        """A block of the mempool, or of its first part."""
        taken = len(self.mempool) if number % 3 else len(self.mempool) // 2
        self._mine(self.mempool[:taken])
        del self.mempool[:taken]

    def _mine(self, transactions: list[Transaction], to: bytes | None = None) -> None:
        self.chain.mine(*transactions, to=to)

    def coinbase(self, number: int) -> None:
        """A block found by the company."""
        self._mine([], MadeUpScripts(NAMES[1 + number % 2]).script_at(0, number % 5))

    def pay(self, number: int) -> None:
        """A reserved payment to a stranger, of one of the wallets."""
        self._pay(1 + number % 2, stranger(), 1_000 + number % 60_000)

    def transfer(self, number: int) -> None:
        """A reserved payment to the other wallet."""
        source = 1 + number % 2
        target = MadeUpScripts(NAMES[3 - source]).script_at(0, number % 5)
        self._pay(source, target, 1_000 + number % 30_000)

    def _pay(self, wallet: int, script: bytes, amount_sat: int) -> None:
        change = MadeUpScripts(NAMES[wallet]).script_at(1, self.count % 5)
        costs = Costs(1_000, 1_000, change, 273)
        with self.storage.read() as conn:
            pool = open_wallet(conn, wallet, ALLOWED).pool
        try:
            choice = choose(pool, Demand((TxOut(amount_sat, script),), self.count), costs)
        except SelectionError:
            return
        wanted = tuple(Wanted(one.outpoint, one.version) for one in choice.coins)
        relief = choice.total_sat - choice.change_sat
        request = Request(wallet, f"payment {self.count}", wanted, relief, allowed=ALLOWED)
        try:
            with self.storage.write() as conn:
                number = reserve(conn, request, actor="user:1", now_ms=NOW_MS)
        except ShortOfLotsError:
            return  # own change of coins that a reorganisation took the confirmation of
        paid = [(script, amount_sat)]
        paid += [(change, choice.change_sat)] if choice.change_sat else []
        transaction = spend([one.outpoint for one in choice.coins], paid)
        self.payments[number] = transaction
        self._send(transaction)

    def bump(self, number: int) -> None:
        """A payment in the mempool is signed anew with a higher fee, out of its change."""
        waiting = {one.txid for one in self.mempool}
        open_ones = [key for key, one in self.payments.items() if one.txid in waiting]
        if not open_ones:
            return
        key = sorted(open_ones)[number % len(open_ones)]
        old = self.payments[key]
        more = 100 + number % 500
        if len(old.outputs) < 2 or old.outputs[1].amount_sat < more + 1_000:
            return
        outputs = [(one.script_pubkey, one.amount_sat) for one in old.outputs]
        outputs[1] = (outputs[1][0], outputs[1][1] - more)
        with self.storage.write() as conn:
            row = find_reservation(conn, key)
            if row.state != "held":
                return
            try:
                replan(
                    conn,
                    key,
                    row.relief_sat + more,
                    version=row.version,
                    actor="user:1",
                    now_ms=NOW_MS,
                )
            except ConflictError:
                return  # its lots were needed for what nobody planned
        self.payments[key] = spend([one.outpoint for one in old.inputs], outputs)
        self._send(self.payments[key])

    def unplanned(self, number: int) -> None:
        """Somebody spends with the recovery kit, reserved coins too."""
        with self.storage.read() as conn:
            rows = conn.execute(
                select(wallet_coins)
                .where(wallet_coins.c.standing.in_(["confirmed", "final"]))
                .order_by(wallet_coins.c.id)
            ).all()
        if not rows:
            return
        taken = {row.id: row for row in (rows[number % len(rows)], rows[number % 7 % len(rows)])}
        total = sum(row.amount_sat for row in taken.values())
        back = total // 3
        paid = [(MadeUpScripts("a").script_at(1, number % 5), back)]
        paid += [(stranger(), total - back - 300)]
        inputs = [OutPoint(row.txid, row.vout) for row in taken.values()]
        inputs += [foreign(self.count)] if number % 4 == 0 else []
        self._send(spend(inputs, paid))

    def release(self, number: int) -> None:
        """A reservation is given up, where it may be."""
        with self.storage.write() as conn:
            rows = conn.execute(
                select(wallet_reservations.c.id).order_by(wallet_reservations.c.id)
            ).all()
            if not rows:
                return
            try:
                release(conn, rows[number % len(rows)].id, actor="user:1", now_ms=NOW_MS)
            except ConflictError:
                return

    def lose(self, number: int) -> None:
        """The mempool drops a transaction."""
        if not self.mempool:
            return
        lost = self.mempool[number % len(self.mempool)]
        self._forget([lost])
        self.chain.drop(lost)

    def reorganise(self, number: int) -> None:
        """Blocks are disconnected; what was in them waits again, or is lost with its coinbase."""
        depth = min(1 + number % 5, self.chain.height - 1)
        returned: list[Transaction] = []
        for _ in range(depth):
            block = self.chain.disconnect()
            returned = [*block.transactions[1:], *returned]
        confirmed = {
            one.outpoint
            for block in self.chain.blocks
            for each in block.transactions
            for one in each.inputs
        }
        self.mempool = [*returned, *self.mempool]
        if number % 4 == 0 and returned:
            lost = returned[number % len(returned)]
            self._forget([lost])
            self.chain.drop(lost)
        assert not confirmed & {one.outpoint for each in self.mempool for one in each.inputs}

    def lock(self, number: int) -> None:
        """A wallet's period is locked at a final block."""
        wallet = 1 + number % 2
        height = self.chain.height - 1
        with self.storage.write() as conn:
            if height > max(0, locked_until(conn, wallet)):
                block = self.chain.blocks[height - 1]
                lock_period(conn, wallet, height, block.block_hash, actor="user:1", now_ms=NOW_MS)

    def truth(self, name: str) -> int:
        """A wallet's balance by the blocks."""
        scripts = MadeUpScripts(name)
        ours = {scripts.script_at(branch, index) for branch in (0, 1) for index in range(15)}
        coins: dict[OutPoint, int] = {}
        for block in self.chain.blocks:
            for transaction in block.transactions:
                for one in transaction.inputs:
                    coins.pop(one.outpoint, None)
                for vout, output in enumerate(transaction.outputs):
                    if output.script_pubkey in ours:
                        coins[OutPoint(transaction.txid, vout)] = output.amount_sat
        return sum(coins.values())

    def check(self) -> None:
        """The books are the truth."""
        with self.storage.read() as conn:
            for wallet, name in NAMES.items():
                balance = self.truth(name)
                assert coins_at(conn, wallet, self.chain.height) == balance
                assert lots_left(conn, wallet) == balance
                if self.chain.height > locked_until(conn, wallet):
                    made = cut(conn, wallet, self.chain.height)
                    assert made.balances, (made, balance)
                    assert made.statement.closing_sat == balance
            relieved = {
                row.lot_id: int(row.total)
                for row in conn.execute(
                    select(
                        wallet_reliefs.c.lot_id,
                        func.sum(wallet_reliefs.c.amount_sat).label("total"),
                    )
                    .where(wallet_reliefs.c.state.in_(["planned", "booked"]))
                    .group_by(wallet_reliefs.c.lot_id)
                )
            }
            for lot in conn.execute(select(wallet_lots).where(wallet_lots.c.gone_ms.is_(None))):
                assert lot.committed_sat == relieved.get(lot.id, 0) <= lot.amount_sat
            self._check_locked(conn)

    def _check_locked(self, conn: Any) -> None:
        """What was locked once is there as it was."""
        now = {("period", row.id): row for row in conn.execute(select(wallet_periods))}
        for wallet in NAMES:
            rows = conn.execute(
                select(wallet_entries).where(
                    wallet_entries.c.wallet_id == wallet,
                    wallet_entries.c.booked_height <= locked_until(conn, wallet),
                )
            )
            now |= {("entry", row.id): row for row in rows}
        assert {key: now.get(key) for key in self.locked} == self.locked
        self.locked = now


@pytest.fixture(scope="module")
def folder() -> Any:
    """In memory where there is one: what is tested is no disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


def run(folder: Path, template: Path, steps: list[tuple[str, int]]) -> None:
    path = folder / "books.db"
    shutil.copyfile(template, path)
    storage = Storage(f"sqlite:///{path}")
    event.listen(storage.engine, "connect", lambda conn, _: conn.execute("PRAGMA synchronous=OFF"))
    try:
        world = World(storage)
        for action, number in steps:
            world.step(action, number)
            world.check()
    finally:
        storage.close()
        for left in folder.iterdir():
            left.unlink()


@settings(max_examples=12)
@given(steps=STEPS)
def test_the_books_are_the_coins_whatever_happens(
    folder: Path, sqlite_template: Path, steps: list[tuple[str, int]]
) -> None:
    run(folder, sqlite_template, steps)


@pytest.mark.soak
@settings(max_examples=1_000)
@given(steps=STEPS)
def test_the_books_are_the_coins_whatever_happens_for_long(
    folder: Path, sqlite_template: Path, steps: list[tuple[str, int]]
) -> None:
    run(folder, sqlite_template, steps)
