"""However the chain was reorganised, the follower's facts are those of the final chain."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chain.errors import BlockNotFoundError
from controller.chain.follower.core import advance
from controller.chain.follower.facts import Fact, Owned, facts_of
from controller.chain.follower.state import (
    Connect,
    Disconnect,
    Event,
    FollowerState,
    Halt,
    HeaderMissing,
    HeaderReported,
    NeedHeader,
    TipReported,
    known,
)
from controller.chain.values import BlockRef
from shared.bitcoin.networks import Network
from shared.bitcoin.script import p2wsh
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.unit.controller.chain.tree import Tree

_WATCHED = [p2wsh(b"\x51"), p2wsh(b"\x52")]
_OTHER = p2wsh(b"\x53")


@dataclass
class _Follower:
    """The decisions with a set of facts where the database would be."""

    tree: Tree
    state: FollowerState
    facts: dict[bytes, tuple[Fact, ...]] = field(default_factory=dict)
    is_halted: bool = False

    def step(self) -> None:
        events: list[Event] = [TipReported(self.tree.tip())]
        while events and not self.is_halted:
            self.state, actions = advance(self.state, events.pop(0))
            for action in actions:
                if isinstance(action, Connect):
                    self._connect(action.at.ref)
                elif isinstance(action, Disconnect):
                    del self.facts[action.ref.block_hash]
                elif isinstance(action, NeedHeader):
                    events.append(self._header(action.height))
                elif isinstance(action, Halt):
                    self.is_halted = True

    def _header(self, height: int) -> Event:
        try:
            return HeaderReported(self.tree.header_at(height))
        except BlockNotFoundError:
            return HeaderMissing(height)

    def _connect(self, ref: BlockRef) -> None:
        owned = {
            one.outpoint: Owned(one.script_pubkey, one.amount_sat, one.is_coinbase)
            for told in self.facts.values()
            for one in told
        }
        block = self.tree.block(ref.block_hash)
        self.facts[ref.block_hash] = facts_of(block, set(_WATCHED).__contains__, owned.get)

    @property
    def told(self) -> set[Fact]:
        return {one for told in self.facts.values() for one in told}


def _follower(tree: Tree, depth: int) -> _Follower:
    genesis = tree.header(tree.genesis)
    return _Follower(tree, known(Network.REGTEST, depth, ((0, genesis.header),)))


def _spending(tree: Tree, block_hash: bytes) -> Transaction:
    spent = TxIn(OutPoint(tree.coinbase(block_hash).txid, 0))
    outputs = (TxOut(1_000, _WATCHED[0]), TxOut(2_000, _OTHER))
    return Transaction(2, (spent,), outputs)


def _branch(tree: Tree, parent: bytes, length: int, choices: list[int]) -> bytes:
    """Blocks that pay to scripts watched or not, and spend the coinbases of their ancestors."""
    for step in range(length):
        choice = choices[step % len(choices)]
        path = tree.path(parent)
        spends = choice > 3 and len(path) > 2
        transactions = [_spending(tree, path[1 + choice % (len(path) - 1)])] if spends else []
        parent = tree.extend(parent, [*_WATCHED, _OTHER][choice % 3], transactions)
    return parent


_MOVES = st.lists(
    st.tuples(
        st.integers(0, 12),  # how far back the branch begins
        st.integers(0, 4),  # how much longer than what it replaces
        st.booleans(),  # whether the follower looks before the next move
    ),
    min_size=1,
    max_size=8,
)


@given(_MOVES, st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_the_facts_are_those_of_the_final_chain(
    moves: list[tuple[int, int, bool]], choices: list[int]
) -> None:
    tree = Tree()
    follower = _follower(tree, depth=100)
    tip = tree.genesis
    for back, more, looks in moves:
        path = tree.path(tip)
        undone = min(back, len(path) - 1)
        tip = _branch(tree, path[-1 - undone], undone + more + 1, choices)
        tree.show(tip)
        if looks:
            follower.step()
    follower.step()
    assert follower.state.last_ref == tree.tip()
    assert follower.told == set(tree.facts_of_best(set(_WATCHED)))


@settings(max_examples=12)
@given(st.integers(1, 100), st.integers(0, 30), st.lists(st.integers(0, 9), min_size=1))
def test_a_reorganisation_of_any_depth_up_to_100_is_followed(
    depth: int, before: int, choices: list[int]
) -> None:
    tree = Tree()
    follower = _follower(tree, depth=100)
    fork = _branch(tree, tree.genesis, before, choices)
    tree.show(_branch(tree, fork, depth, choices))
    follower.step()
    tree.show(_branch(tree, fork, depth + 1, choices[::-1]))
    follower.step()
    assert not follower.is_halted
    assert follower.told == set(tree.facts_of_best(set(_WATCHED)))


@settings(max_examples=12)
@given(st.integers(1, 20), st.integers(1, 5))
def test_a_deeper_one_halts_and_takes_nothing_back(depth: int, deeper: int) -> None:
    tree = Tree()
    follower = _follower(tree, depth)
    fork = _branch(tree, tree.genesis, 3, [0])
    old = _branch(tree, fork, depth + deeper, [1])
    tree.show(old)
    follower.step()
    before = follower.told
    tree.show(_branch(tree, fork, depth + deeper + 3, [2]))
    follower.step()
    assert follower.is_halted
    assert follower.told == before


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(0, 20))
def test_a_branch_without_more_work_takes_nothing_back(length: int, shorter: int) -> None:
    tree = Tree()
    follower = _follower(tree, depth=100)
    fork = _branch(tree, tree.genesis, 2, [0])
    tree.show(_branch(tree, fork, length, [1]))
    follower.step()
    before, last = follower.told, follower.state.last_ref
    tree.show(_branch(tree, fork, max(0, length - shorter), [2]))
    follower.step()
    assert (follower.told, follower.state.last_ref) == (before, last)


@pytest.mark.soak
@settings(max_examples=2_000)
@given(_MOVES, st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_the_facts_are_those_of_the_final_chain_many_times(
    moves: list[tuple[int, int, bool]], choices: list[int]
) -> None:
    tree = Tree()
    follower = _follower(tree, depth=100)
    tip = tree.genesis
    for back, more, looks in moves:
        path = tree.path(tip)
        tip = _branch(tree, path[-1 - min(back, len(path) - 1)], back + more + 1, choices)
        tree.show(tip)
        if looks:
            follower.step()
    follower.step()
    assert follower.told == set(tree.facts_of_best(set(_WATCHED)))
