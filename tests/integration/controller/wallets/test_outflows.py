"""What counts against the limit of a tier."""

import pytest
from sqlalchemy import select, update

from controller.storage.engine import Storage
from controller.storage.tables import wallet_coins, wallets
from controller.wallets.outflows import outflows
from controller.wallets.reservations import Request, Wanted, release, reserve
from controller.wallets.tiers import Tier
from shared.bitcoin.transaction import OutPoint
from tests.wallet_chain import NOW_MS, Chain, MadeUpScripts, enter_wallet, foreign, spend, stranger

A, VAULT = MadeUpScripts("a"), MadeUpScripts("vault")


@pytest.fixture
def chain(storage: Storage) -> Chain:
    """A hot wallet with two coins, and a cold one."""
    with storage.write() as conn:
        enter_wallet(conn, "a", finality=2)
        enter_wallet(conn, "vault", finality=2)
        conn.execute(update(wallets).where(wallets.c.id == 2).values(tier=Tier.COLD.value))
    made = Chain(storage)
    made.mine(spend([foreign(1)], [(A.script_at(0, 0), 50_000), (A.script_at(0, 1), 60_000)]))
    made.mine_empty(1)
    return made


def amounts(chain: Chain, since_ms: int = 0, tier: Tier = Tier.HOT) -> list[int]:
    with chain.storage.read() as conn:
        return [one.amount_sat for one in outflows(conn, "own", tier, since_ms)]


def test_payments_count_and_moves_to_a_colder_wallet_do_not(chain: Chain) -> None:
    [receipt] = chain.blocks[0].transactions[1:]
    chain.mine(
        spend([OutPoint(receipt.txid, 0)], [(stranger(), 30_000), (A.script_at(1, 0), 19_000)]),
        spend([OutPoint(receipt.txid, 1)], [(VAULT.script_at(0, 0), 59_000)]),
    )
    assert amounts(chain) == [30_000]
    assert amounts(chain, since_ms=NOW_MS * 2) == []
    assert amounts(chain, tier=Tier.COLD) == []
    chain.disconnect()
    assert amounts(chain) == []


def test_what_is_reserved_counts_until_it_is_released(chain: Chain) -> None:
    with chain.storage.write() as conn:
        coin = conn.execute(select(wallet_coins).where(wallet_coins.c.amount_sat == 50_000)).one()
        wanted = (Wanted(OutPoint(coin.txid, coin.vout), coin.version),)
        number = reserve(conn, Request(1, "x", wanted, 31_000), actor="user:1", now_ms=NOW_MS)
    assert amounts(chain) == [31_000]
    with chain.storage.write() as conn:
        release(conn, number, actor="user:1", now_ms=NOW_MS)
    assert amounts(chain) == []
