"""What every backend does: the same tests on the embedded chain and over Core's JSON-RPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.chain.backend import check_network
from controller.chain.errors import BlockNotFoundError, NotAcceptedError
from controller.chain.values import GENESIS, PackageState
from shared.bitcoin.networks import Network
from shared.bitcoin.script import ANCHOR
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.errors import BadInputError
from tests.integration.controller.chain.nodes import KINDS, Node, node_of
from tests.unit.controller.chain.ledger import ANYONE, TRUE, spend

_REWARD_SAT = 50 * 10**8


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """A node with three rewards that may be spent."""
    with node_of(request.param, tmp_path) as running:
        running.mine(103, ANYONE)
        yield running


def _coin(node: Node, height: int) -> OutPoint:
    backend = node.backend
    block = backend.block(backend.header_at(height).ref.block_hash)
    return OutPoint(block.transactions[0].txid, 0)


def _pay(
    outpoint: OutPoint, fee_sat: int, amount_sat: int = _REWARD_SAT, version: int = 2
) -> Transaction:
    return spend([outpoint], [TxOut(amount_sat - fee_sat, ANYONE)], version=version)


def test_the_network_is_told_by_name_and_first_block(node: Node) -> None:
    facts = check_network(node.backend)
    assert facts.network is Network.REGTEST
    assert node.backend.genesis_hash() == GENESIS[Network.REGTEST]
    assert facts.min_relay_sat_per_kvb == facts.incremental_relay_sat_per_kvb == 1_000
    assert facts.mempool_min_sat_per_kvb == 1_000
    assert (facts.is_pruned, facts.lowest_block_height) == (False, 0)
    assert facts.version >= 280_000
    assert facts.relays_truc


def test_headers_and_blocks_are_found_by_height_and_by_id(node: Node) -> None:
    backend = node.backend
    tip = backend.tip()
    assert tip.height == 103
    at = backend.header_at(103)
    assert at.ref == tip
    assert backend.header(tip.block_hash) == at
    block = backend.block(tip.block_hash)
    assert (block.ref, block.header) == (tip, at.header)
    assert block.spent == ((),)
    assert block.header.previous == backend.header_at(102).ref.block_hash


def test_what_is_not_there_is_named(node: Node) -> None:
    for ask in (node.backend.header, node.backend.block):
        with pytest.raises(BlockNotFoundError):
            ask(bytes(32))
    with pytest.raises(BlockNotFoundError, match="at height 104"):
        node.backend.header_at(104)


def test_a_payment_is_tested_broadcast_and_mined(node: Node) -> None:
    backend, coin = node.backend, _coin(node, 1)
    payment = _pay(coin, 1_000)
    tested = backend.test_accept(payment)
    assert (tested.is_accepted, tested.vsize, tested.fee_sat) == (True, payment.vsize, 1_000)
    assert backend.pool_txids() == frozenset()
    assert backend.broadcast(payment).is_accepted
    assert backend.broadcast(payment).is_accepted
    assert backend.test_accept(payment).is_accepted
    assert backend.pool_txids() == {payment.txid}
    assert backend.pool_transaction(payment.txid) == payment
    assert backend.unspent(coin, with_mempool=True) is None
    before = backend.unspent(coin, with_mempool=False)
    assert before is not None
    assert (before.height, before.is_coinbase) == (1, True)
    made = backend.unspent(payment.outpoint(0), with_mempool=True)
    assert made is not None
    assert (made.height, made.output) == (None, payment.outputs[0])
    node.mine(1, ANYONE)
    made = backend.unspent(payment.outpoint(0), with_mempool=True)
    assert made is not None
    assert (made.height, made.best_block) == (104, backend.tip().block_hash)
    block = backend.block(backend.tip().block_hash)
    assert block.transactions[1] == payment
    assert block.spent is not None
    (spent,) = block.spent[1]
    assert (spent.output, spent.height, spent.is_coinbase) == (
        *(TxOut(_REWARD_SAT, ANYONE), 1, True),
    )
    with pytest.raises(NotAcceptedError, match="txn-already-known"):
        backend.broadcast(payment)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("early", "bad-txns-premature-spend-of-coinbase"),
        ("cheap", "min relay fee not met"),
        ("unknown", "bad-txns-inputs-missingorspent"),
        ("greedy", "bad-txns-in-belowout"),
        ("locked", "non-final"),
        ("young", "non-BIP68-final"),
        ("version", "version"),
    ],
)
def test_what_is_refused_is_refused_alike_and_changes_nothing(
    node: Node, fault: str, reason: str
) -> None:
    coin, paid = _coin(node, 1), [TxOut(_REWARD_SAT - 1_000, ANYONE)]
    faulty = {
        "early": _pay(_coin(node, 50), 1_000),
        "cheap": _pay(coin, 10),
        "unknown": _pay(OutPoint(bytes(31) + b"\x01", 0), 1_000),
        "greedy": _pay(coin, -1),
        "locked": spend([coin], paid, lock_time=104),
        "young": spend([coin], paid, sequence=104),
        "version": spend([coin], paid, version=4),
    }[fault]
    assert node.backend.test_accept(faulty).reason == reason
    with pytest.raises(NotAcceptedError) as raised:
        node.backend.broadcast(faulty)
    assert (raised.value.reason, raised.value.txid) == (reason, faulty.txid)
    assert node.backend.pool_txids() == frozenset()


def test_a_wrong_witness_is_refused(node: Node) -> None:
    wrong = _pay(_coin(node, 1), 1_000).with_witnesses([(bytes((0x52,)),)])
    assert node.backend.test_accept(wrong).is_accepted is False
    with pytest.raises(NotAcceptedError):
        node.backend.broadcast(wrong)


def test_a_payment_is_replaced_by_one_that_pays_more(node: Node) -> None:
    coin = _coin(node, 1)
    first, short, better = _pay(coin, 1_000), _pay(coin, 1_010), _pay(coin, 2_000)
    node.backend.broadcast(first)
    with pytest.raises(NotAcceptedError, match="insufficient fee"):
        node.backend.broadcast(short)
    node.backend.broadcast(better)
    assert node.backend.pool_txids() == {better.txid}


def test_a_chain_in_the_mempool_is_told_with_its_surroundings(node: Node) -> None:
    backend = node.backend
    parent = _pay(_coin(node, 1), 1_000)
    child = _pay(parent.outpoint(0), 3_000, _REWARD_SAT - 1_000)
    backend.broadcast(parent)
    backend.broadcast(child)
    entry = backend.pool_entry(child.txid)
    assert entry is not None
    assert (entry.fee_sat, entry.ancestor_fee_sat, entry.ancestor_count) == (3_000, 4_000, 2)
    assert entry.ancestor_vsize == parent.vsize + child.vsize
    assert (entry.parents, entry.children) == (frozenset({parent.txid}), frozenset())
    above = backend.pool_entry(parent.txid)
    assert above is not None
    assert (above.descendant_count, above.descendant_fee_sat) == (2, 4_000)
    assert (above.wtxid, above.children) == (parent.wtxid, frozenset({child.txid}))
    assert backend.pool_ancestors(child.txid) == frozenset({parent.txid})
    assert backend.pool_entry(bytes(32)) is None
    assert backend.pool_ancestors(bytes(32)) is None
    assert backend.pool_transaction(bytes(32)) is None


def _family(node: Node, fee_sat: int) -> tuple[Transaction, Transaction]:
    """A free parent with an anchor of nothing, and a child that spends both outputs."""
    outputs = [TxOut(_REWARD_SAT, ANYONE), TxOut(0, ANCHOR)]
    parent = spend([_coin(node, 1)], outputs, version=3)
    spent = [parent.outpoint(0), parent.outpoint(1)]
    child = spend(spent, [TxOut(_REWARD_SAT - fee_sat, ANYONE)], version=3)
    return parent, child.with_witnesses([(TRUE,), ()])


def test_a_free_parent_is_broadcast_with_its_child(node: Node) -> None:
    parent, child = _family(node, 2_000)
    tested = node.backend.test_accept_package(parent, child)
    assert tested.state is not PackageState.REFUSED
    with pytest.raises(NotAcceptedError, match="min relay fee not met"):
        node.backend.broadcast(parent)
    assert node.backend.broadcast_package(parent, child).is_accepted
    assert node.backend.pool_txids() == {parent.txid, child.txid}
    assert node.backend.broadcast_package(parent, child).is_accepted
    assert node.backend.test_accept_package(parent, child).is_accepted


def test_a_package_that_pays_too_little_is_refused_as_a_whole(node: Node) -> None:
    parent, child = _family(node, 20)
    with pytest.raises(NotAcceptedError, match="min relay fee not met"):
        node.backend.broadcast_package(parent, child)
    assert node.backend.pool_txids() == frozenset()


def test_a_package_of_strangers_is_refused(node: Node) -> None:
    parent, stranger = _family(node, 20)[0], _pay(_coin(node, 2), 1_000)
    with pytest.raises(NotAcceptedError, match="package"):
        node.backend.broadcast_package(parent, stranger)


def test_a_sibling_is_evicted_by_one_that_pays_for_it(node: Node) -> None:
    coin = _coin(node, 1)
    parent = spend([coin], [TxOut(_REWARD_SAT // 2 - 500, ANYONE)] * 2, version=3)
    amount_sat = _REWARD_SAT // 2 - 500
    first = _pay(parent.outpoint(0), 1_000, amount_sat, version=3)
    second = _pay(parent.outpoint(1), 3_000, amount_sat, version=3)
    for one in (parent, first, second):
        node.backend.broadcast(one)
    assert node.backend.pool_txids() == {parent.txid, second.txid}


def test_a_reorganisation_brings_a_payment_back_and_a_branch_may_have_another(node: Node) -> None:
    backend, coin = node.backend, _coin(node, 1)
    payment = _pay(coin, 1_000)
    backend.broadcast(payment)
    node.mine(2, ANYONE)
    undone = backend.header_at(104)
    node.reorganise(103, 3, ANYONE)
    assert backend.tip().height == 106
    assert backend.header_at(104) != undone
    assert backend.header(undone.ref.block_hash) == undone
    assert backend.pool_txids() == {payment.txid}
    other = _pay(coin, 2_000)
    node.mine_with([other], ANYONE)
    assert backend.pool_txids() == frozenset()
    assert backend.unspent(other.outpoint(0), with_mempool=True) is not None


def test_an_estimate_is_a_feerate_or_says_why_there_is_none(node: Node) -> None:
    estimate = node.backend.fee_estimate(2)
    assert (estimate.feerate_sat_per_kvb is None) is bool(estimate.problem)
    for target in (0, 1_009):
        with pytest.raises(BadInputError, match="target_blocks"):
            node.backend.fee_estimate(target)
