"""Two payments cannot share a coin, nor relieve one lot twice."""

import random
import threading

import pytest
from sqlalchemy import select

from controller.errors import ConflictError, MissingError
from controller.storage.engine import Storage
from controller.storage.tables import (
    audit_leaves,
    wallet_coins,
    wallet_lots,
    wallet_reliefs,
    wallet_reservations,
)
from controller.wallets.books.lots import Method, ShortOfLotsError
from controller.wallets.coin_life import HoldEvent
from controller.wallets.holding import hold_coin
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
from shared.bitcoin.transaction import OutPoint
from shared.errors import BadInputError
from tests.wallet_chain import NOW_MS, Chain, MadeUpScripts, enter_wallet, foreign, spend, stranger
from tests.wallet_coins import CHANGE_SCRIPT, pay

A = MadeUpScripts("a")


@pytest.fixture
def chain(storage: Storage) -> Chain:
    """A wallet with five final coins of 10,000 to 50,000 sat, acquired one block apart."""
    with storage.write() as conn:
        enter_wallet(conn, "a")
    made = Chain(storage)
    for number in range(1, 6):
        made.mine(spend([foreign(number)], [(A.script_at(0, number % 5), number * 10_000)]))
    made.mine_empty(5)
    return made


def coins(storage: Storage) -> dict[int, Wanted]:
    """The coins by their amounts."""
    with storage.read() as conn:
        return {
            row.amount_sat: Wanted(OutPoint(row.txid, row.vout), row.version)
            for row in conn.execute(select(wallet_coins))
        }


def take(storage: Storage, request: Request) -> str:
    with storage.write() as conn:
        return reserve(conn, request, actor="user:1", now_ms=NOW_MS)


def planned(storage: Storage, state: str = "planned") -> dict[int, int]:
    """What is relieved by the amount of the lot."""
    with storage.read() as conn:
        rows = conn.execute(
            select(wallet_lots.c.amount_sat, wallet_reliefs.c.amount_sat.label("relieved"))
            .join(wallet_reliefs, wallet_reliefs.c.lot_id == wallet_lots.c.id)
            .where(wallet_reliefs.c.state == state)
        )
        found: dict[int, int] = {}
        for row in rows:
            found[row.amount_sat] = found.get(row.amount_sat, 0) + row.relieved
        return found


def test_a_reservation_takes_its_coins_and_fixes_its_lots(chain: Chain) -> None:
    there = coins(chain.storage)
    number = take(chain.storage, Request(1, "payment 1", (there[50_000],), 25_000))
    assert planned(chain.storage) == {10_000: 10_000, 20_000: 15_000}
    with chain.storage.read() as conn:
        assert there[50_000].outpoint not in open_wallet(conn, 1).pool
        kinds = [row.kind for row in conn.execute(select(audit_leaves))]
    assert kinds.count("wallet.coins_reserved") == 1
    with chain.storage.write() as conn:
        release(conn, number, actor="user:1", now_ms=NOW_MS)
    assert planned(chain.storage) == {}
    with chain.storage.read() as conn:
        assert there[50_000].outpoint in open_wallet(conn, 1).pool


@pytest.mark.parametrize(
    ("method", "named", "expected"),
    [
        (Method.FIFO, (), {10_000: 10_000, 20_000: 5_000}),
        (Method.NAMED, (5, 1), {50_000: 15_000}),
        (Method.HIFO, (), {10_000: 10_000, 20_000: 5_000}),
    ],
)
def test_lots_are_relieved_by_the_method_asked_for(
    chain: Chain, method: Method, named: tuple[int, ...], expected: dict[int, int]
) -> None:
    wanted = (coins(chain.storage)[40_000],)
    take(chain.storage, Request(1, "x", wanted, 15_000, method=method, named=named))
    assert planned(chain.storage) == expected


def test_a_coin_that_changed_since_it_was_chosen_is_not_taken(chain: Chain) -> None:
    there = coins(chain.storage)
    take(chain.storage, Request(1, "first", (there[10_000], there[20_000]), 1_000))
    for wanted, problem in (
        (there[10_000], "reserved"),
        (Wanted(there[30_000].outpoint, 1), "changed"),
    ):
        with pytest.raises(ConflictError, match=problem):
            take(chain.storage, Request(1, "second", (there[50_000], wanted), 1_000))
    with pytest.raises(MissingError):
        take(chain.storage, Request(1, "second", (Wanted(foreign(99), 1),), 1_000))
    with pytest.raises(ConflictError, match="already"):
        take(chain.storage, Request(1, "first", (there[50_000],), 1_000))
    with pytest.raises(BadInputError, match="relief_sat"):
        take(chain.storage, Request(1, "second", (there[50_000],), 50_001))
    with pytest.raises(ShortOfLotsError):
        take(chain.storage, Request(1, "second", (there[50_000],), 11_000, Method.NAMED, (1,)))
    assert coins(chain.storage)[50_000] == there[50_000], "nothing of a refusal stays"


def test_a_hold_keeps_a_coin_out_of_every_choice_until_it_ends(chain: Chain) -> None:
    there = coins(chain.storage)
    outpoint = there[50_000].outpoint
    with chain.storage.write() as conn:
        hold_coin(conn, outpoint, HoldEvent.TAINTED, reason="x", actor="user:1", now_ms=NOW_MS)
    with chain.storage.read() as conn:
        assert outpoint not in open_wallet(conn, 1).pool
    with pytest.raises(ConflictError, match="tainted"):
        take(chain.storage, Request(1, "x", (coins(chain.storage)[50_000],), 1_000))
    with chain.storage.write() as conn:
        hold_coin(conn, outpoint, HoldEvent.CLEARED, reason="y", actor="user:1", now_ms=NOW_MS)
    number = take(chain.storage, Request(1, "x", (coins(chain.storage)[50_000],), 1_000))
    for event, state in (
        (HoldEvent.TAINTED, "tainted"),
        (HoldEvent.CLEARED, "reserved"),
    ):
        with chain.storage.write() as conn:
            hold_coin(conn, outpoint, event, reason="z", actor="user:1", now_ms=NOW_MS)
        with chain.storage.read() as conn:
            row = conn.execute(
                select(wallet_coins).where(wallet_coins.c.amount_sat == 50_000)
            ).one()
        assert (row.hold, row.reservation_id) == (state, number)
    with chain.storage.write() as conn, pytest.raises(ConflictError):
        hold_coin(conn, outpoint, HoldEvent.PLEDGED, reason="z", actor="user:1", now_ms=NOW_MS)


def test_a_bumped_fee_plans_its_own_relief_and_the_block_decides(chain: Chain) -> None:
    there = coins(chain.storage)
    number = take(chain.storage, Request(1, "payment", (there[50_000],), 21_000))
    first = spend([there[50_000].outpoint], [(stranger(), 20_000), (A.script_at(1, 0), 29_000)])
    chain.see(first)
    with chain.storage.write() as conn:
        replan(conn, number, 23_000, version=1, actor="user:1", now_ms=NOW_MS)
        with pytest.raises(ConflictError, match="changed"):
            replan(conn, number, 24_000, version=1, actor="user:1", now_ms=NOW_MS)
        with pytest.raises(ConflictError, match="spent"):
            release(conn, number, actor="user:1", now_ms=NOW_MS)
    assert planned(chain.storage) == {10_000: 10_000, 20_000: 13_000}
    with chain.storage.write() as conn:
        replan(conn, number, 22_500, version=2, actor="user:1", now_ms=NOW_MS)
    assert planned(chain.storage) == {10_000: 10_000, 20_000: 12_500}
    with chain.storage.write() as conn:
        replan(conn, number, 23_000, version=3, actor="user:1", now_ms=NOW_MS)
    second = spend([there[50_000].outpoint], [(stranger(), 20_000), (A.script_at(1, 0), 27_000)])
    chain.see(second)
    chain.mine(first)  # the one that was replaced is mined after all
    assert planned(chain.storage) == {}
    assert sum(planned(chain.storage, "booked").values()) == 21_000
    with chain.storage.read() as conn:
        assert find_reservation(conn, number).state == "in a block"
    chain.disconnect()
    assert sum(planned(chain.storage).values()) == 21_000
    assert planned(chain.storage, "booked") == {}
    with chain.storage.read() as conn:
        assert find_reservation(conn, number).state == "held"
    chain.mine(second)
    assert planned(chain.storage, "booked") == {10_000: 10_000, 20_000: 13_000}


def test_threads_that_want_the_same_coins_never_share_one(chain: Chain) -> None:
    """Each chooses at random among few coins, reserves, and tries again where it came second."""
    storage = chain.storage
    failures: list[BaseException] = []
    costs = Costs(1_000, 1_000, CHANGE_SCRIPT, 230)

    def pay_some(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(4):
            try:
                with storage.read() as conn:
                    pool = open_wallet(conn, 1).pool
                outputs = pay(chance.randrange(1_000, 12_000))
                choice = choose(pool, Demand(outputs, chance.randrange(2**32)), costs)
                wanted = tuple(Wanted(one.outpoint, one.version) for one in choice.coins)
                relief = choice.total_sat - choice.change_sat
                take(storage, Request(1, f"{seed}/{number}", wanted, relief))
            except (ConflictError, SelectionError):
                continue
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failures.append(error)
                return

    threads = [threading.Thread(target=pay_some, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with storage.read() as conn:
        held = conn.execute(
            select(wallet_coins).where(wallet_coins.c.reservation_id.is_not(None))
        ).all()
        reservations = conn.execute(select(wallet_reservations)).all()
        lots = conn.execute(select(wallet_lots)).all()
        leaves = conn.execute(
            select(audit_leaves).where(audit_leaves.c.kind == "wallet.coins_reserved")
        ).all()
    assert reservations
    assert {row.reservation_id for row in held} == {row.id for row in reservations}
    assert len(leaves) == len(reservations)
    assert all(row.committed_sat <= row.amount_sat for row in lots)
    assert sum(row.committed_sat for row in lots) == sum(row.relief_sat for row in reservations)
    for row in reservations:
        total = sum(coin.amount_sat for coin in held if coin.reservation_id == row.id)
        assert row.relief_sat <= total
