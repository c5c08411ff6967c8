"""The follower against real databases."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from controller.chain.blocks import Block
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import (
    ChainError,
    FollowerHaltedError,
    NetworkMismatchError,
    PrunedError,
    UntrustworthyNodeError,
)
from controller.chain.follower import store
from controller.chain.follower.facts import Fact, FactKind
from controller.chain.follower.listeners import BlockDisconnected, BlockSeen
from controller.chain.follower.runner import AlarmKind, Follower
from controller.chain.follower.watches import watch
from controller.chain.values import BlockRef
from controller.storage.engine import Storage
from shared.bitcoin.networks import Network
from shared.bitcoin.script import p2wsh
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BadInputError
from tests.unit.controller.chain.ledger import ANYONE
from tests.unit.controller.chain.tree import Tree

_MINE, _LATER, _OTHER = p2wsh(b"\x51"), p2wsh(b"\x52"), p2wsh(b"\x53")


class _Wallet:
    """Keeps a balance by what it is told, in memory; can be made to fail."""

    def __init__(self) -> None:
        self.told: list[BlockSeen | BlockDisconnected] = []
        self.fails_at: int | None = None

    def connected(self, conn: Connection, seen: BlockSeen) -> None:
        if seen.ref.height == self.fails_at:
            raise RuntimeError("the wallet cannot")
        self.told.append(seen)

    def disconnected(self, conn: Connection, gone: BlockDisconnected) -> None:
        self.told.append(gone)

    def balance_sat(self) -> int:
        balance = 0
        for one in self.told:
            sign = 1 if isinstance(one, BlockSeen) else -1
            for fact in one.facts:
                is_received = fact.kind is FactKind.RECEIVED
                balance += sign * fact.amount_sat * (1 if is_received else -1)
        return balance


class _Setting:
    """A tree, a database, a wallet, and the follower between them."""

    def __init__(self, storage: Storage, depth: int = 100) -> None:
        self.tree = Tree()
        self.storage = storage
        self.wallet = _Wallet()
        self.alarms: list[AlarmKind] = []
        self.depth = depth
        self.follower = self.restarted()

    def restarted(self) -> Follower:
        return Follower(
            self.tree,  # type: ignore[arg-type]  # a tree is as much of a backend as is asked
            self.storage,
            [self.wallet],
            depth=self.depth,
            alarm=lambda kind, _problem: self.alarms.append(kind),
        )

    def begin(self, *scripts: bytes) -> None:
        self.follower.start(birth_height=0)
        with self.storage.write() as conn:
            watch(conn, scripts)

    def facts(self) -> set[Fact]:
        with self.storage.read() as conn:
            found = {
                one for script in (_MINE, _LATER) for one in store.facts_of_script(conn, script)
            }
            assert len(found) == store.count_facts(conn)
        return found


@pytest.fixture
def setting(storage: Storage) -> _Setting:
    return _Setting(storage)


def _spend(tree: Tree, block_hash: bytes) -> Transaction:
    spent = TxIn(OutPoint(tree.coinbase(block_hash).txid, 0))
    return Transaction(2, (spent,), (TxOut(700, _MINE), TxOut(900, _OTHER)))


def test_blocks_are_told_once_in_order_and_taken_back_in_reverse(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    first = tree.extend(tree.genesis, _MINE)
    second = tree.extend(first, _OTHER, [_spend(tree, first)])
    tree.show(second)
    step = setting.follower.step()
    assert (step.connected, step.disconnected, step.is_at_tip) == (2, 0, True)
    assert setting.follower.step().connected == 0
    assert setting.wallet.balance_sat() == 700
    branch = tree.grow(first, 3, _OTHER)
    tree.show(branch)
    step = setting.follower.step()
    assert (step.connected, step.disconnected) == (3, 1)
    assert setting.wallet.balance_sat() == 5_000_000_000
    gone = setting.wallet.told[2]
    assert isinstance(gone, BlockDisconnected)
    assert (gone.ref, gone.previous_hash) == (BlockRef(2, second), first)
    assert {one.kind for one in gone.facts} == {FactKind.RECEIVED, FactKind.SPENT}
    assert setting.facts() == set(tree.facts_of_best({_MINE}))


def test_a_reorganisation_of_100_blocks_is_followed_across_a_restart(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    fork = tree.grow(tree.genesis, 2, _MINE)
    tree.show(tree.grow(fork, 100, _MINE))
    assert setting.follower.step().is_at_tip
    tree.show(tree.grow(fork, 101, _OTHER))
    step = setting.restarted().step(max_blocks=10)
    assert (step.disconnected, step.is_at_tip) == (100, False)
    assert setting.restarted().step().is_at_tip
    assert setting.facts() == set(tree.facts_of_best({_MINE}))


def test_a_reorganisation_too_deep_halts_until_an_operator_resumes(storage: Storage) -> None:
    setting = _Setting(storage, depth=3)
    tree = setting.tree
    setting.begin(_MINE)
    fork = tree.extend(tree.genesis, _MINE)
    tree.show(tree.grow(fork, 6, _MINE))
    setting.follower.step()
    before = setting.facts()
    tree.show(tree.grow(fork, 9, _OTHER))
    with pytest.raises(FollowerHaltedError, match="limit is 3"):
        setting.follower.step()
    assert setting.alarms == [AlarmKind.HALTED]
    with pytest.raises(FollowerHaltedError):
        setting.restarted().step()
    assert setting.facts() == before
    assert setting.restarted().resume_from(1).block_hash == fork
    assert setting.restarted().step().is_at_tip
    assert setting.facts() == set(tree.facts_of_best({_MINE}))
    assert setting.wallet.balance_sat() == 5_000_000_000
    gone = [one for one in setting.wallet.told if isinstance(one, BlockDisconnected)]
    assert [one.ref.height for one in gone] == [7, 6, 5, 4, 3, 2]
    assert gone[-1].previous_hash == fork


def test_a_node_that_forgot_the_old_branch_still_has_its_facts_taken_back(
    storage: Storage,
) -> None:
    setting = _Setting(storage, depth=2)
    tree = setting.tree
    setting.begin(_MINE)
    old = tree.grow(tree.genesis, 6, _MINE)
    tree.show(old)
    setting.follower.step()
    tree.show(tree.grow(tree.genesis, 9, _OTHER))
    with pytest.raises(FollowerHaltedError):
        setting.follower.step()
    tree.forget(tree.path(old)[2])
    setting.follower.resume_from(0)
    assert setting.follower.step().is_at_tip
    assert setting.facts() == set()
    gone = [one for one in setting.wallet.told if isinstance(one, BlockDisconnected)]
    assert [one.ref.height for one in gone] == [6, 5, 4, 3, 2, 1]
    assert [one.previous_hash is None for one in gone] == [*[False] * 4, True, True]


def test_a_listener_that_fails_rolls_its_block_back_and_is_told_again(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    tree.show(tree.grow(tree.genesis, 3, _MINE))
    setting.wallet.fails_at = 2
    with pytest.raises(RuntimeError, match="the wallet cannot"):
        setting.follower.step()
    assert len(setting.facts()) == 1
    setting.wallet.fails_at = None
    assert setting.follower.step().connected == 2
    assert len(setting.facts()) == 3


def test_a_node_that_goes_back_in_time_takes_nothing_back(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    end = tree.grow(tree.genesis, 10, _MINE)
    tree.show(end)
    setting.follower.step()
    tree.show(tree.path(end)[4])
    step = setting.follower.step()
    assert (step.disconnected, step.is_at_tip) == (0, False)
    assert setting.alarms == [AlarmKind.NODE_BEHIND]
    tree.show(tree.extend(end, _MINE))
    assert setting.follower.step().connected == 1
    assert len(setting.facts()) == 11


@pytest.mark.parametrize("lie", ["name", "first block"])
def test_a_node_of_another_network_is_refused(setting: _Setting, lie: str) -> None:
    setting.begin(_MINE)
    if lie == "name":
        setting.tree.shown_network = Network.MAINNET
    else:
        setting.tree.shown_genesis = bytes(32)
    setting.tree.show(setting.tree.extend(setting.tree.genesis, _MINE))
    with pytest.raises(NetworkMismatchError):
        setting.follower.step()
    assert setting.alarms == [AlarmKind.WRONG_NETWORK]
    assert setting.facts() == set()


def test_a_database_of_another_network_is_refused(setting: _Setting) -> None:
    setting.begin(_MINE)
    setting.tree.network = setting.tree.shown_network = Network.SIGNET
    with pytest.raises(NetworkMismatchError):
        setting.follower.step()


def test_a_block_with_other_transactions_than_its_header_says_is_refused(
    setting: _Setting,
) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    shown = tree.extend(tree.genesis, _OTHER)
    forged = tree.coinbase(tree.extend(tree.genesis, _MINE))
    tree.replace(shown, Block(tree.header(shown).header, (forged,)))
    tree.show(shown)
    with pytest.raises(UntrustworthyNodeError):
        setting.follower.step()
    assert setting.facts() == set()


def test_pruned_history_is_named_by_its_heights(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    tree.show(tree.grow(tree.genesis, 5, _MINE))
    tree.lowest_height = 3
    with pytest.raises(PrunedError, match=r"block 1 is pruned; the lowest .* is 3") as raised:
        setting.follower.step()
    assert (raised.value.height, raised.value.lowest_height) == (1, 3)
    tree.lowest_height = 0
    assert setting.follower.step().connected == 5


def test_a_script_watched_later_is_found_by_a_rescan_once(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    first = tree.extend(tree.genesis, _LATER)
    second = tree.extend(first, _MINE, [_spend(tree, first)])
    tree.show(second)
    setting.follower.step()
    with setting.storage.write() as conn:
        watch(conn, [_LATER])
    assert setting.facts() != set(tree.facts_of_best({_MINE, _LATER}))
    assert setting.follower.rescan([_LATER], 1) == 2
    assert setting.follower.rescan([_LATER], 1) == 0
    assert setting.facts() == set(tree.facts_of_best({_MINE, _LATER}))
    assert [one.is_rescan for one in setting.wallet.told if isinstance(one, BlockSeen)] == [
        *(False, False, True, True)
    ]


def test_a_rescan_reaches_below_the_blocks_that_are_kept(storage: Storage) -> None:
    setting = _Setting(storage, depth=2)
    tree = setting.tree
    setting.begin()
    tree.show(tree.grow(tree.extend(tree.genesis, _LATER), 8, _OTHER))
    setting.follower.step()
    with setting.storage.write() as conn:
        watch(conn, [_LATER])
    assert setting.follower.rescan([_LATER], 0) == 1
    with pytest.raises(BadInputError, match="from_height"):
        setting.follower.rescan([_LATER], 11)
    tree.lowest_height = 5
    with pytest.raises(PrunedError):
        setting.follower.rescan([_LATER], 1)


def test_a_listener_that_comes_later_is_told_everything_by_a_replay(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    first = tree.extend(tree.genesis, _MINE)
    tree.show(tree.grow(tree.extend(first, _OTHER, [_spend(tree, first)]), 2, _MINE))
    setting.follower.step()
    late = _Wallet()
    assert setting.follower.replay(late, 1) == tree.tip()
    assert late.balance_sat() == setting.wallet.balance_sat()
    for told, again in zip(setting.wallet.told, late.told, strict=True):
        assert isinstance(told, BlockSeen)
        assert replace(told, is_rescan=True) == again
    assert setting.follower.replay(late, 5).height == 4  # nothing to tell
    assert len(late.told) == 4
    with pytest.raises(BadInputError, match="from_height"):
        setting.follower.replay(late, 0)


class _Extending(_Wallet):
    """Watches a second script as soon as the first one is paid."""

    def connected(self, conn: Connection, seen: BlockSeen) -> None:
        super().connected(conn, seen)
        if any(one.script_pubkey == _MINE for one in seen.facts):
            watch(conn, [_LATER])


def test_a_script_watched_on_being_told_is_found_in_the_same_block(setting: _Setting) -> None:
    tree = setting.tree
    setting.wallet = _Extending()
    setting.follower = setting.restarted()
    setting.begin(_MINE)
    first = tree.extend(tree.genesis, _OTHER)
    spent = TxIn(OutPoint(tree.coinbase(first).txid, 0))
    both = Transaction(2, (spent,), (TxOut(7, _LATER), TxOut(9, _LATER)))
    onward = Transaction(2, (TxIn(both.outpoint(0)),), (TxOut(5, _OTHER),))
    tree.show(tree.extend(first, _MINE, [both, onward]))
    setting.follower.step()
    assert setting.facts() == set(tree.facts_of_best({_MINE, _LATER}))
    assert setting.wallet.balance_sat() == 5_000_000_000 + 9
    assert [len(one.facts) for one in setting.wallet.told] == [0, 1, 3]


def test_a_watch_that_was_rolled_back_is_forgotten(setting: _Setting) -> None:
    tree = setting.tree
    setting.wallet = _Extending()
    failing = _Wallet()
    failing.fails_at = 1
    follower = Follower(tree, setting.storage, [setting.wallet, failing])  # type: ignore[arg-type]  # as above
    follower.start(birth_height=0)
    with setting.storage.write() as conn:
        watch(conn, [_MINE])
    tree.show(tree.extend(tree.genesis, _MINE))
    with pytest.raises(RuntimeError):
        follower.step()
    tree.show(tree.grow(tree.genesis, 2, _LATER))
    failing.fails_at = None
    follower.step()
    assert setting.facts() == set()


def test_a_reorganisation_right_after_the_start_is_followed(storage: Storage) -> None:
    setting = _Setting(storage, depth=5)
    tree = setting.tree
    fork = tree.grow(tree.genesis, 3, _MINE)
    tree.show(tree.grow(fork, 4, _MINE))
    assert setting.follower.start().height == 7
    with storage.write() as conn:
        watch(conn, [_MINE])
    tree.show(tree.grow(fork, 6, _MINE))
    step = setting.follower.step()
    assert (step.disconnected, step.connected, step.is_at_tip) == (4, 6, True)
    assert {one.height for one in setting.facts()} == {8, 9}
    assert [one.ref.height for one in setting.wallet.told] == [8, 9]


def test_two_processes_that_begin_at_once_agree_on_the_first_block(setting: _Setting) -> None:
    tree = setting.tree
    end = tree.grow(tree.genesis, 5, _MINE)
    tree.show(end)
    with setting.storage.write() as conn:
        store.begin(conn, "regtest", [tree.header_at(1), tree.header_at(2)])
        store.begin(conn, "regtest", [tree.header_at(4)])
    assert setting.follower.start().height == 2


def test_of_two_followers_one_gets_on_and_nothing_is_told_twice(setting: _Setting) -> None:
    tree = setting.tree
    setting.begin(_MINE)
    tree.show(tree.grow(tree.genesis, 4, _MINE))
    other = setting.restarted()
    real_block: Callable[[bytes], object] = tree.block

    def block_after_the_other(block_hash: bytes) -> object:
        tree.block = real_block  # type: ignore[method-assign, assignment]  # once
        other.step()
        return real_block(block_hash)

    tree.block = block_after_the_other  # type: ignore[method-assign, assignment]  # a race
    step = setting.follower.step()
    assert (step.connected, step.is_at_tip, step.last.height) == (0, False, 4)
    assert setting.follower.step().is_at_tip
    assert len(setting.facts()) == 4
    assert [one.ref.height for one in setting.wallet.told] == [1, 2, 3, 4]


def test_watching_needs_a_follower_that_was_started_and_a_script_of_sensible_length(
    storage: Storage,
) -> None:
    with pytest.raises(ChainError, match="never started"), storage.write() as conn:
        watch(conn, [_MINE])
    with pytest.raises(ChainError, match="never started"):
        _Setting(storage).follower.step()
    with pytest.raises(BadInputError, match="script_pubkey"), storage.write() as conn:
        watch(conn, [b""])


def test_a_new_database_begins_at_its_birth_height(storage: Storage) -> None:
    setting = _Setting(storage)
    tree = setting.tree
    tree.show(tree.grow(tree.genesis, 6, _MINE))
    assert setting.follower.start(birth_height=4).height == 3
    assert setting.restarted().start(birth_height=1).height == 3  # said once
    with storage.write() as conn:
        watch(conn, [_MINE, _MINE])
    setting.follower.step()
    assert {one.height for one in setting.facts()} == {4, 5, 6}
    with pytest.raises(BadInputError, match="depth"):
        Follower(tree, storage, depth=0)  # type: ignore[arg-type]  # refused before it is used


def test_the_embedded_chain_is_followed_through_a_reorganisation(storage: Storage) -> None:
    chain = EmbeddedChain()
    wallet = _Wallet()
    follower = Follower(chain, storage, [wallet])
    follower.start(birth_height=1)
    with storage.write() as conn:
        watch(conn, [ANYONE])
    chain.mine(4, ANYONE)
    follower.step()
    assert wallet.balance_sat() == 4 * 5_000_000_000
    chain.reorganise(1, 5)
    step = follower.step()
    assert (step.connected, step.disconnected) == (5, 3)
    assert wallet.balance_sat() == 5_000_000_000
    chain.close()
