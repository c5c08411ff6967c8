"""Verified by Core's engine, tested, broadcast: in this order, on every backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.chain.errors import NotAcceptedError, ScriptRefusedError
from controller.chain.sending import send, send_package
from shared.bitcoin.transaction import OutPoint, TxOut
from tests.integration.controller.chain.nodes import KINDS, Node, node_of
from tests.unit.controller.chain.ledger import ANYONE, spend

_REWARD = TxOut(50 * 10**8, ANYONE)


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    with node_of(request.param, tmp_path) as running:
        running.mine(101, ANYONE)
        yield running


def _coin(node: Node, height: int = 1) -> OutPoint:
    block = node.backend.block(node.backend.header_at(height).ref.block_hash)
    return OutPoint(block.transactions[0].txid, 0)


def test_a_payment_is_sent_and_sent_again(node: Node) -> None:
    payment = spend([_coin(node)], [TxOut(_REWARD.amount_sat - 1_000, ANYONE)])
    assert send(node.backend, payment, [_REWARD]).fee_sat == 1_000
    send(node.backend, payment, [_REWARD])
    assert node.backend.pool_txids() == {payment.txid}


def test_what_the_engine_or_the_mempool_refuses_is_not_sent(node: Node) -> None:
    paid = [TxOut(_REWARD.amount_sat - 1_000, ANYONE)]
    with pytest.raises(ScriptRefusedError):
        send(node.backend, spend([_coin(node)], paid, witness=(b"\x52",)), [_REWARD])
    with pytest.raises(NotAcceptedError, match="premature"):
        send(node.backend, spend([_coin(node, 50)], paid), [_REWARD])
    assert node.backend.pool_txids() == frozenset()


def test_a_package_is_sent_where_a_nodes_test_cannot_judge_it_too(node: Node) -> None:
    parent = spend([_coin(node)], [_REWARD], version=3)
    child = spend([parent.outpoint(0)], [TxOut(_REWARD.amount_sat - 1_000, ANYONE)], version=3)
    poor = spend([parent.outpoint(0)], [TxOut(_REWARD.amount_sat - 10, ANYONE)], version=3)
    with pytest.raises(NotAcceptedError, match="min relay fee"):
        send_package(node.backend, parent, poor, ([_REWARD], [_REWARD]))
    with pytest.raises(ScriptRefusedError):
        send_package(node.backend, parent, child, ([_REWARD], [TxOut(1, b"\x51\x20" + bytes(32))]))
    assert node.backend.pool_txids() == frozenset()
    assert send_package(node.backend, parent, child, ([_REWARD], [_REWARD])).is_accepted
