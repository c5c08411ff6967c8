"""Decisions that the property tests do not reach: headers that cannot be, a chain that moves."""

from dataclasses import replace

import pytest

from controller.chain.blocks import BlockHeader
from controller.chain.follower.core import advance, header_problem
from controller.chain.follower.state import (
    FollowerState,
    HeaderReported,
    Mistrust,
    NeedHeader,
    NeedTip,
    TipReported,
    Wait,
    known,
)
from controller.chain.values import HeaderAt
from shared.bitcoin.networks import Network
from shared.bitcoin.script import p2wsh
from tests.unit.controller.chain.tree import Tree

_PAYOUT = p2wsh(b"\x51")
_MAINNET_GENESIS = BlockHeader.parse(
    bytes.fromhex(
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b2"
        "7ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    )
)


def _state(tree: Tree, end: bytes, depth: int = 100) -> FollowerState:
    headers = tuple((tree.header(one).height, tree.header(one).header) for one in tree.path(end))
    return known(Network.REGTEST, depth, headers[-depth - 1 :])


def test_nothing_is_asked_where_the_tip_is_the_last_block() -> None:
    tree = Tree()
    end = tree.grow(tree.genesis, 3, _PAYOUT)
    tree.show(end)
    assert advance(_state(tree, end), TipReported(tree.tip()))[1] == ()


def test_a_header_without_its_work_is_mistrusted() -> None:
    tree = Tree()
    at = tree.header(tree.extend(tree.genesis, _PAYOUT))
    nonces = (replace(at.header, nonce=nonce) for nonce in range(100))
    idle = next(one for one in nonces if not one.has_work)
    _, actions = advance(_state(tree, tree.genesis), HeaderReported(HeaderAt(1, idle)))
    assert [type(one) for one in actions] == [Mistrust]


def test_a_header_above_the_networks_limit_is_mistrusted() -> None:
    tree = Tree()
    at = tree.header(tree.extend(tree.genesis, _PAYOUT))
    assert header_problem(Network.REGTEST, at, None) is None
    assert header_problem(Network.MAINNET, at, None) is not None


@pytest.mark.parametrize(
    ("height", "bits", "is_permitted"),
    [(1, 0x1D00FFFF, True), (2015, 0x1D00FFFE, False), (2016, 0x1D00FFFE, True)],
)
def test_the_target_changes_only_every_2016_blocks(
    height: int, bits: int, is_permitted: bool
) -> None:
    parent = replace(_MAINNET_GENESIS, bits=bits)
    problem = header_problem(Network.MAINNET, HeaderAt(height, _MAINNET_GENESIS), parent)
    assert (problem is None) is is_permitted


@pytest.mark.parametrize(("bits", "is_permitted"), [(0x1C3FFFC0, True), (0x1C3F0000, False)])
def test_a_target_rises_fourfold_at_most(bits: int, is_permitted: bool) -> None:
    parent = replace(_MAINNET_GENESIS, bits=bits)
    problem = header_problem(Network.MAINNET, HeaderAt(2016, _MAINNET_GENESIS), parent)
    assert (problem is None) is is_permitted


def test_mainnets_first_block_has_the_id_everybody_knows() -> None:
    assert _MAINNET_GENESIS.block_hash[::-1].hex() == (
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    )
    assert _MAINNET_GENESIS.work == 4_295_032_833


@pytest.mark.parametrize("bits", [0x1D80FFFF, 0xFF123456, 0x1D000000])
def test_bits_that_name_no_target_are_work_for_nobody(bits: int) -> None:
    header = replace(_MAINNET_GENESIS, bits=bits)
    assert (header.target, header.work, header.has_work) == (0, 0, False)


def test_a_chain_that_moves_while_it_is_read_is_read_again() -> None:
    tree = Tree()
    end = tree.grow(tree.genesis, 3, _PAYOUT)
    state = _state(tree, end)
    stranger = tree.header(tree.grow(tree.genesis, 4, _PAYOUT))
    _, actions = advance(state, HeaderReported(stranger))
    assert actions == (NeedTip(),)
    other = tree.grow(tree.genesis, 5, _PAYOUT)
    tree.show(other)
    searching, _ = advance(state, TipReported(tree.tip()))
    searching, actions = advance(searching, HeaderReported(tree.header_at(3)))
    assert actions == (NeedHeader(2),)
    moved = tree.header(tree.path(stranger.header.block_hash)[2])
    assert advance(searching, HeaderReported(moved))[1] == (NeedTip(),)


def test_a_node_far_behind_is_waited_for() -> None:
    tree = Tree()
    end = tree.grow(tree.genesis, 30, _PAYOUT)
    state = _state(tree, end, depth=5)
    tree.show(tree.path(end)[10])
    kept, actions = advance(state, TipReported(tree.tip()))
    assert [type(one) for one in actions] == [Wait]
    assert kept.last_ref == state.last_ref
