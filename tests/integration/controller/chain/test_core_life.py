"""Coins on Bitcoin Core, over JSON-RPC and ZMQ, as the follower tells of them.

With BES_TEST_BITCOIND the node is that program; otherwise `core_server` stands in for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.background import Worker
from controller.chain.core_rpc.hints import ChainHints
from controller.chain.follower import store
from controller.chain.follower.facts import FactKind
from controller.chain.follower.runner import Follower
from controller.chain.follower.watches import watch
from controller.chain.sending import send, send_package
from controller.storage.engine import Storage
from shared.bitcoin.script import ANCHOR, p2wsh
from shared.bitcoin.transaction import OutPoint, TxOut
from tests.integration.controller.chain.nodes import Node, node_of
from tests.unit.controller.chain.ledger import ANYONE, spend
from tests.waiting import wait_for

_TREASURY_SCRIPT = b"\x52"
_TREASURY = p2wsh(_TREASURY_SCRIPT)
_OTHER = p2wsh(b"\x53")
_REWARD_SAT = 50 * 10**8


def _balance_sat(storage: Storage) -> int:
    with storage.read() as conn:
        facts = store.facts_of_script(conn, _TREASURY)
    received = sum(one.amount_sat for one in facts if one.kind is FactKind.RECEIVED)
    return received - sum(one.amount_sat for one in facts if one.kind is FactKind.SPENT)


@contextmanager
def _followed(node: Node, storage: Storage) -> Iterator[None]:
    """A follower that looks when it is hinted at, or five seconds later."""
    follower = Follower(node.backend, storage)
    follower.start(birth_height=1)
    with storage.write() as conn:
        watch(conn, [_TREASURY])
    worker = Worker("chain", follower.work, every_s=5.0)
    assert node.zmq_url is not None
    hints = ChainHints(node.zmq_url, worker.wake)
    worker.start()
    hints.start()
    try:
        yield
    finally:
        hints.stop()
        worker.stop()


def _reward(node: Node, height: int) -> OutPoint:
    block = node.backend.block(node.backend.header_at(height).ref.block_hash)
    return OutPoint(block.transactions[0].txid, 0)


def _until(storage: Storage, balance_sat: int) -> None:
    wait_for(lambda: _balance_sat(storage) == balance_sat, f"a balance of {balance_sat}")


def test_coins_are_funded_spent_replaced_packaged_and_reorganised(
    tmp_path: Path, storage: Storage
) -> None:
    reward = TxOut(_REWARD_SAT, ANYONE)
    with node_of("core", tmp_path) as node, _followed(node, storage):
        backend = node.backend
        node.mine(102, ANYONE)
        fund = spend([_reward(node, 1)], [TxOut(_REWARD_SAT - 1_000, _TREASURY)])
        send(backend, fund, [reward])
        node.mine(1, _OTHER)
        _until(storage, _REWARD_SAT - 1_000)

        coin, amount_sat = fund.outpoint(0), _REWARD_SAT - 1_000
        slow, fast = (
            spend(
                [coin],
                [TxOut(10**9, _OTHER), TxOut(amount_sat - 10**9 - fee_sat, _TREASURY)],
                witness=(_TREASURY_SCRIPT,),
            )
            for fee_sat in (500, 2_000)
        )
        send(backend, slow, fund.outputs)
        send(backend, fast, fund.outputs)
        assert backend.pool_txids() == {fast.txid}
        node.mine(1, _OTHER)
        _until(storage, amount_sat - 10**9 - 2_000)

        outputs = [TxOut(_REWARD_SAT, _TREASURY), TxOut(0, ANCHOR)]
        parent = spend([_reward(node, 2)], outputs, version=3)
        spent = [parent.outpoint(1), fast.outpoint(1)]
        left_sat = fast.outputs[1].amount_sat - 3_000
        child = spend(spent, [TxOut(left_sat, _TREASURY)], version=3)
        child = child.with_witnesses([(), (_TREASURY_SCRIPT,)])
        send_package(backend, parent, child, ([reward], [outputs[1], fast.outputs[1]]))
        node.mine(1, _OTHER)
        _until(storage, _REWARD_SAT + left_sat)

        tip = backend.tip().height
        node.reorganise(tip - 2, 4, _OTHER)
        _until(storage, _REWARD_SAT - 1_000)
        assert backend.pool_txids() == {fast.txid, parent.txid, child.txid}
        node.mine(1, _OTHER)
        _until(storage, _REWARD_SAT + left_sat)
