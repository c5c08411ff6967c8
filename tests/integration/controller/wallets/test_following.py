"""Blocks and unconfirmed transactions move coins, and the books with them."""

from decimal import Decimal

import pytest
from sqlalchemy import select, update

from controller.errors import ConflictError
from controller.storage.engine import Storage
from controller.storage.tables import wallet_coins, wallet_entries, wallet_lots, wallets
from controller.wallets.books.annotating import Told, annotate_lot
from controller.wallets.books.lots import Origin
from controller.wallets.books.periods import cut, lots_left
from controller.wallets.books.prices import Price
from controller.wallets.coin_life import CoinState, Hold, Standing, shown
from controller.wallets.opening import open_wallet
from controller.wallets.registry import give_out
from shared.bitcoin.transaction import OutPoint, Transaction
from tests.wallet_chain import (
    NOW_MS,
    SUBSIDY_SAT,
    Chain,
    MadeUpScripts,
    enter_wallet,
    foreign,
    spend,
    stranger,
)


@pytest.fixture
def chain(storage: Storage) -> Chain:
    """A chain of no block yet, and a wallet `a`."""
    with storage.write() as conn:
        enter_wallet(conn, "a")
    return Chain(storage)


A = MadeUpScripts("a")


def states(storage: Storage) -> dict[str, str]:
    """Each coin's state by its outpoint."""
    with storage.read() as conn:
        return {
            OutPoint(row.txid, row.vout).hex: shown(Standing(row.standing), Hold(row.hold)).value
            for row in conn.execute(select(wallet_coins))
        }


def state(chain: Chain, transaction: Transaction, vout: int = 0) -> str:
    return states(chain.storage)[OutPoint(transaction.txid, vout).hex]


def pay_in(number: int, amount_sat: int = 100_000, index: int = 0) -> Transaction:
    return spend([foreign(number)], [(A.script_at(0, index), amount_sat)])


def test_a_receipt_is_pending_then_confirmed_then_final_and_all_of_it_back(chain: Chain) -> None:
    receipt = pay_in(1)
    chain.see(receipt)
    assert state(chain, receipt) == "pending"
    chain.mine(receipt)
    assert state(chain, receipt) == "confirmed"
    chain.mine_empty(4)
    assert state(chain, receipt) == "confirmed"
    chain.mine_empty(1)
    assert state(chain, receipt) == "final"
    chain.disconnect()
    assert state(chain, receipt) == "confirmed"
    for _ in range(5):
        chain.disconnect()
    assert state(chain, receipt) == "pending"
    chain.drop(receipt)
    assert state(chain, receipt) == "gone"
    chain.mine(receipt)
    assert state(chain, receipt) == "confirmed"


def test_a_coinbase_matures_after_100_blocks_and_never_returns_from_a_reorganisation(
    chain: Chain,
) -> None:
    mined = chain.mine(to=A.script_at(0, 0))
    reward = mined.transactions[0]
    chain.mine_empty(98)
    assert state(chain, reward) == "immature"
    chain.mine_empty(1)
    assert state(chain, reward) == "final"
    chain.disconnect()
    assert state(chain, reward) == "immature"
    chain.mine_empty(1)
    assert state(chain, reward) == "final"
    spent = spend([OutPoint(reward.txid, 0)], [(A.script_at(1, 0), SUBSIDY_SAT - 200)])
    chain.mine(spent)
    assert state(chain, reward) == "spent"
    for _ in range(100):
        chain.disconnect()
    assert state(chain, reward) == "spent", "its spender waits unconfirmed"
    chain.disconnect()
    assert (state(chain, reward), state(chain, spent)) == ("gone", "gone")
    chain.see(reward)
    chain.see(spent)
    assert state(chain, reward) == "gone"
    with chain.storage.read() as conn:
        assert conn.scalar(select(wallets.c.tip_height)) is None
    chain.connect(mined)
    assert state(chain, reward) == "immature"


def test_a_deep_block_can_be_taken_back_without_those_above_it(chain: Chain) -> None:
    """As after a halt, where the follower tells only of blocks that had facts."""
    receipt = pay_in(1)
    deep = chain.mine(receipt, to=A.script_at(0, 1))
    chain.mine_empty(104)
    assert set(states(chain.storage).values()) == {"final"}
    with chain.storage.write() as conn:
        chain.following.disconnect(conn, 1, deep.block_hash, None, now_ms=NOW_MS)
        assert conn.scalar(select(wallets.c.tip_height)) is None
    assert state(chain, receipt) == "pending"
    assert state(chain, deep.transactions[0]) == "gone"


def test_a_replacement_frees_what_only_the_replaced_one_spent(chain: Chain) -> None:
    first, second = pay_in(1), pay_in(2, index=1)
    chain.mine(first, second)
    both = spend(
        [OutPoint(first.txid, 0), OutPoint(second.txid, 0)],
        [(stranger(), 150_000), (A.script_at(1, 0), 49_000)],
    )
    chain.see(both)
    assert state(chain, both, 1) == "pending"
    child = spend([OutPoint(both.txid, 1)], [(A.script_at(1, 1), 48_000)])
    chain.see(child)
    other = spend([OutPoint(first.txid, 0)], [(stranger(), 98_000)])
    chain.mine(other)
    assert state(chain, first) == "spent"
    assert state(chain, second) == "confirmed"
    assert (state(chain, both, 1), state(chain, child)) == ("gone", "gone")
    chain.see(both)
    assert state(chain, both, 1) == "gone", "it conflicts with a block"


def test_change_is_no_income_and_the_fee_is_an_entry(chain: Chain) -> None:
    receipt = pay_in(1)
    chain.mine(receipt)
    payment = spend(
        [OutPoint(receipt.txid, 0)], [(stranger(), 30_000), (A.script_at(1, 0), 69_000)]
    )
    chain.mine(payment)
    with chain.storage.read() as conn:
        entries = {(row.kind, row.amount_sat) for row in conn.execute(select(wallet_entries))}
        made = cut(conn, 1, 2)
        assert lots_left(conn, 1) == 69_000
    assert entries == {("in", 100_000), ("out", 30_000), ("fee", 1_000)}
    assert made.balances
    assert made.statement.closing_sat == 69_000


def test_a_fee_that_others_share_is_not_made_up(chain: Chain) -> None:
    receipt = pay_in(1)
    chain.mine(receipt)
    shared = spend([OutPoint(receipt.txid, 0), foreign(5)], [(A.script_at(1, 0), 20_000)])
    chain.mine(shared)
    with chain.storage.read() as conn:
        rows = conn.execute(select(wallet_entries).where(wallet_entries.c.kind != "in")).all()
    assert [(row.kind, row.amount_sat, row.fee_included) for row in rows] == [("out", 80_000, 1)]


def test_a_transfer_keeps_time_and_price_of_what_it_moves(chain: Chain) -> None:
    with chain.storage.write() as conn:
        enter_wallet(conn, "b")
    early, late = pay_in(1, 50_000), pay_in(2, 60_000, index=1)
    chain.mine(early)
    chain.mine(late)
    with chain.storage.write() as conn:
        conn.execute(
            update(wallet_lots)
            .where(wallet_lots.c.amount_sat == 50_000)
            .values(price="40000.5", price_currency="USD", price_source="x", price_problem=None)
        )
    moved = spend(
        [OutPoint(early.txid, 0), OutPoint(late.txid, 0)],
        [(MadeUpScripts("b").script_at(0, 0), 80_000), (A.script_at(1, 0), 29_000)],
    )
    chain.mine(moved)
    with chain.storage.read() as conn:
        lots = conn.execute(select(wallet_lots).where(wallet_lots.c.wallet_id == 2)).all()
        found = [(row.amount_sat, row.origin, row.price, row.acquired_ms) for row in lots]
        assert lots_left(conn, 1) == 29_000
        assert cut(conn, 2, 3).balances
    assert [(amount, origin, price) for amount, origin, price, _ in found] == [
        (50_000, "transferred", "40000.5"),
        (30_000, "transferred", None),
    ]
    assert found[0][3] < found[1][3]
    with chain.storage.write() as conn:
        later = conn.execute(select(wallet_lots).where(wallet_lots.c.amount_sat == 60_000)).one()
        annotate_lot(
            conn,
            later.id,
            Told(Origin.BOUGHT, Price(Decimal(50_000), "USD", "y")),
            version=later.version,
            actor="user:1",
            now_ms=NOW_MS,
        )
        carried = conn.execute(select(wallet_lots).where(wallet_lots.c.amount_sat == 30_000)).one()
    assert (carried.price, carried.price_problem, carried.origin) == ("50000", None, "transferred")


def test_coins_of_two_organisations_are_strangers_to_each_other(chain: Chain) -> None:
    with chain.storage.write() as conn:
        enter_wallet(conn, "guest", organisation="guest")
        with pytest.raises(ConflictError, match="another wallet"):
            enter_wallet(conn, "a", organisation="guest")
    receipt = pay_in(1)
    chain.mine(receipt)
    paid = spend([OutPoint(receipt.txid, 0)], [(MadeUpScripts("guest").script_at(0, 0), 99_000)])
    chain.mine(paid)
    with chain.storage.read() as conn:
        entries = conn.execute(select(wallet_entries).order_by(wallet_entries.c.id)).all()
        coin = conn.execute(select(wallet_coins).where(wallet_coins.c.wallet_id == 2)).one()
    assert [(row.wallet_id, row.kind, row.other_wallet_id) for row in entries] == [
        (1, "in", None),
        (1, "out", None),
        (1, "fee", None),
        (2, "in", None),
    ]
    assert coin.is_own_change == 0


def test_a_used_script_makes_more_of_them_watched(chain: Chain) -> None:
    """Two uses in one block, the second only reached by the first one's gap."""
    block = chain.mine(
        spend([foreign(1)], [(A.script_at(0, 4), 10_000)]),
        spend([foreign(2)], [(A.script_at(0, 9), 10_000)]),
        spend([foreign(3)], [(A.script_at(0, 15), 10_000)]),
    )
    found = [OutPoint(one.txid, 0).hex in states(chain.storage) for one in block.transactions[1:]]
    assert found == [True, True, False]


def test_scripts_are_given_out_no_further_than_a_restored_wallet_would_look(chain: Chain) -> None:
    with chain.storage.write() as conn:
        given = [give_out(conn, 1, 0, now_ms=NOW_MS) for _ in range(5)]
        assert [number for number, _ in given] == [0, 1, 2, 3, 4]
        assert given[3][1] == A.script_at(0, 3)
    with chain.storage.write() as conn, pytest.raises(ConflictError, match="given out"):
        give_out(conn, 1, 0, now_ms=NOW_MS)
    chain.mine(spend([foreign(1)], [(A.script_at(0, 1), 10_000)]))
    with chain.storage.write() as conn:
        assert give_out(conn, 1, 0, now_ms=NOW_MS)[0] == 5


def test_a_block_that_does_not_follow_a_wallets_tip_changes_nothing(chain: Chain) -> None:
    receipt = pay_in(1)
    block = chain.mine(receipt)
    with chain.storage.write() as conn:
        chain.following.connect(conn, block, now_ms=NOW_MS)
    with chain.storage.read() as conn:
        assert len(conn.execute(select(wallet_entries)).all()) == 1


def test_an_open_wallet_takes_in_only_what_changed(chain: Chain) -> None:
    receipts = [pay_in(number, 10_000 + number, index=number % 3) for number in range(5)]
    chain.mine(*receipts)
    chain.mine_empty(5)
    with chain.storage.read() as conn:
        opened = open_wallet(conn, 1)
        assert len(opened.pool) == 5
        assert opened.catch_up(conn) == 0
    payment = spend(
        [OutPoint(receipts[0].txid, 0)], [(stranger(), 4_000), (A.script_at(1, 0), 5_000)]
    )
    chain.see(payment)
    with chain.storage.read() as conn:
        assert opened.catch_up(conn) == 2
        fresh = open_wallet(conn, 1)
    assert {one.outpoint for one in opened.pool} == {one.outpoint for one in fresh.pool}
    [pending] = opened.pool.pending
    assert pending.outpoint == OutPoint(payment.txid, 1)
    assert pending.state is CoinState.PENDING
    assert pending.pending_parent is not None
    assert (pending.pending_parent.ancestors, pending.pending_parent.has_child) == (0, False)
    grandchild = spend([pending.outpoint], [(A.script_at(1, 1), 4_500)])
    chain.see(grandchild)
    with chain.storage.read() as conn:
        opened.catch_up(conn)
    [pending] = opened.pool.pending
    assert pending.pending_parent is not None
    assert pending.pending_parent.ancestors == 1
