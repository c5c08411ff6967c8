"""Wallets behind the chain's follower, on blocks that Core's own engine took."""

from typing import Any

import pytest
from sqlalchemy import select

from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import FollowerHaltedError
from controller.chain.follower.runner import Follower
from controller.storage.engine import Storage
from controller.storage.tables import wallet_entries, wallets
from controller.wallets.books.periods import cut, lots_left
from controller.wallets.chain_listener import WalletListener
from controller.wallets.following import Following
from controller.wallets.opening import open_wallet
from controller.wallets.registry import NewWallet, create_wallet
from controller.wallets.scripts import DescriptorScripts
from controller.wallets.selection import Costs, Demand, Rules, Spendable
from controller.wallets.selection import select as choose
from controller.wallets.tiers import Tier
from shared.bitcoin.bip32 import ExtendedPrivateKey
from shared.bitcoin.networks import Network
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import p2wpkh, p2wsh, script
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from tests.nodes import StillClock
from tests.wallet_chain import NOW_MS

STRANGER = p2wsh(b"\x51\x51")


class Anyones:
    """Scripts that anyone can spend, each its own: real ones, without keys."""

    branches = 2
    input_weight = 4 * 41 + 1 + 1 + 5

    @staticmethod
    def witness_script(branch: int, index: int) -> bytes:
        return script(100 + branch, Op.DROP, 1_000 + index)

    def script_at(self, branch: int, index: int) -> bytes:
        return p2wsh(self.witness_script(branch, index))


WITNESSES = {
    Anyones().script_at(branch, index): Anyones.witness_script(branch, index)
    for branch in (0, 1)
    for index in range(20)
}
ADDRESS = Anyones().script_at


class Setting:
    """A chain, its follower, one wallet."""

    def __init__(self, storage: Storage, chain: EmbeddedChain, depth: int = 100) -> None:
        self.storage, self.chain = storage, chain
        listener = WalletListener(
            Following(Network.REGTEST, scripts=lambda _: Anyones()), StillClock(NOW_MS)
        )
        self.follower = Follower(chain, storage, [listener], depth=depth)
        self.listener = listener
        self.follower.start()
        self.wallet = self.enter("treasury", birth=1)

    def enter(self, name: str, birth: int) -> int:
        new = NewWallet(
            "own", name, Tier.HOT, Network.REGTEST, name, birth, gap_limit=3, finality_depth=6
        )
        with self.storage.write() as conn:
            wallet = create_wallet(conn, new, Anyones(), actor="user:1", now_ms=NOW_MS)
            self.listener.watch_wallet(conn, wallet)
        return wallet

    def go_on(self) -> None:
        while not self.follower.step().is_at_tip:
            pass

    def balance(self) -> int:
        """By the books, which are the coins and the lots."""
        with self.storage.read() as conn:
            tip = conn.execute(select(wallets).where(wallets.c.id == self.wallet)).one()
            assert tip.tip_hash == self.chain.tip().block_hash
            made = cut(conn, self.wallet, tip.tip_height)
            assert made.balances
            assert lots_left(conn, self.wallet) == made.statement.closing_sat
            return made.statement.closing_sat

    def pay(self, amount_sat: int, index: int) -> Transaction:
        """A payment of the coins that the wallet chooses, with its change."""
        change = ADDRESS(1, index)
        with self.storage.read() as conn:
            opened = open_wallet(conn, self.wallet)
        demand = Demand((TxOut(amount_sat, STRANGER),), index)
        choice = choose(
            opened.pool, demand, Costs(2_000, 2_000, change, Anyones.input_weight), Rules(3)
        )
        outputs = [TxOut(amount_sat, STRANGER)]
        outputs += [TxOut(choice.change_sat, change)] if choice.change_sat else []
        return Transaction(3, tuple(map(self._input, choice.coins)), tuple(outputs))

    def _input(self, coin: Spendable) -> TxIn:
        unspent = self.chain.unspent(coin.outpoint, with_mempool=False)
        assert unspent is not None
        return TxIn(coin.outpoint, witness=(WITNESSES[unspent.output.script_pubkey],))


@pytest.fixture
def setting(storage: Storage) -> Any:
    chain = EmbeddedChain()
    yield Setting(storage, chain, depth=150)
    chain.close()


def test_mined_coins_are_paid_out_and_the_books_follow_every_reorganisation(
    setting: Setting,
) -> None:
    chain = setting.chain
    chain.mine(2, ADDRESS(0, 0))
    chain.mine(100)
    setting.go_on()
    mined_sat = setting.balance()
    assert mined_sat == 2 * 5_000_000_000
    payment = setting.pay(300_000_000, 0)
    assert chain.broadcast(payment).reason is None
    chain.mine(1)
    setting.go_on()
    fee_sat = mined_sat - 300_000_000 - setting.balance()
    assert fee_sat >= 2 * payment.vsize
    assert fee_sat < 3 * payment.vsize
    fork = chain.tip().height - 1
    chain.reorganise(fork, 3)
    setting.go_on()
    assert setting.balance() == mined_sat
    chain.mine_with([payment])
    setting.go_on()
    assert setting.balance() == mined_sat - 300_000_000 - fee_sat
    chain.reorganise(1, chain.tip().height)
    setting.go_on()
    assert setting.balance() == 5_000_000_000, "the second coinbase is gone"


def test_a_wallet_that_comes_later_is_brought_up_by_a_replay(setting: Setting) -> None:
    chain = setting.chain
    chain.mine(1, ADDRESS(0, 1))
    chain.mine(3)
    setting.go_on()
    with setting.storage.write() as conn:
        conn.execute(wallets.update().values(tip_height=None, tip_hash=None))
        conn.execute(wallet_entries.delete())
    with setting.storage.read() as conn:
        assert conn.execute(select(wallet_entries)).all() == []
    chain.mine(1)
    setting.go_on()
    with setting.storage.read() as conn:
        assert conn.scalar(select(wallets.c.tip_height)) is None
    setting.follower.replay(setting.listener, 1)
    chain.mine(1)
    setting.go_on()
    with setting.storage.read() as conn:
        assert [row.amount_sat for row in conn.execute(select(wallet_entries))] == [5_000_000_000]
        assert conn.scalar(select(wallets.c.tip_hash)) == chain.tip().block_hash


def test_what_is_cut_off_after_a_halt_is_taken_back(storage: Storage) -> None:
    chain = EmbeddedChain()
    setting = Setting(storage, chain, depth=2)
    chain.mine(1, ADDRESS(0, 0))
    chain.mine(1)
    chain.mine(1, ADDRESS(0, 1))
    chain.mine(2)
    setting.go_on()
    assert setting.balance() == 10_000_000_000
    chain.reorganise(1, 6)
    with pytest.raises(FollowerHaltedError):
        setting.go_on()
    setting.follower.resume_from(1)
    setting.go_on()
    assert setting.balance() == 5_000_000_000
    chain.close()


def test_a_descriptors_scripts_are_a_wallets() -> None:
    key = ExtendedPrivateKey.of_seed(bytes(32)).public.serialise(Network.REGTEST)
    scripts = DescriptorScripts.of_text(f"wpkh({key}/<0;1>/*)", Network.REGTEST)
    assert scripts.branches == 2
    assert scripts.input_weight == 272
    assert len({scripts.script_at(branch, 7) for branch in (0, 1)}) == 2
    assert len(scripts.script_at(0, 0)) == len(p2wpkh(b"\x02" + bytes(32)))
