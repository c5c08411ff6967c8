"""What can go wrong between the controller and Bitcoin Core."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.chain.backend import check_network
from controller.chain.core_rpc.backend import CoreRpc
from controller.chain.core_rpc.client import load_cookie
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import (
    NetworkMismatchError,
    NodeNotTriedError,
    NodeRefusedError,
    NodeUnreachableError,
    PrunedError,
    UntrustworthyNodeError,
)
from controller.chain.values import PackageState
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import OutPoint, TxOut
from shared.errors import BadInputError
from tests.integration.controller.chain.core_server import CoreServer
from tests.integration.controller.chain.nodes import config_of, served
from tests.unit.controller.chain.ledger import ANYONE, spend


class _Served:
    def __init__(self, chain: EmbeddedChain, server: CoreServer, backend: CoreRpc) -> None:
        self.chain, self.server, self.backend = chain, server, backend


@pytest.fixture
def node(tmp_path: Path) -> Iterator[_Served]:
    chain = EmbeddedChain()
    with served(chain, tmp_path, timeout_s=30, breaker_failures=1_000) as (server, backend):
        yield _Served(chain, server, backend)
    chain.close()


def _answering(**answer: object) -> bytes:
    return json.dumps({"result": None, "error": None, "id": 1} | answer).encode()


def test_a_node_that_was_started_anew_is_asked_with_its_new_cookie(node: _Served) -> None:
    assert node.backend.tip().height == 0
    node.server.new_cookie()
    assert node.backend.tip().height == 0


def test_a_cookie_that_is_not_the_nodes_is_refused_and_not_shown(node: _Served) -> None:
    node.server.cookie_file.write_text("__cookie__:guessed")
    with pytest.raises(NodeUnreachableError, match="refuses the cookie") as raised:
        node.backend.tip()
    assert "guessed" not in str(raised.value)


def test_a_node_without_a_cookie_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachableError, match="is the node running"):
        load_cookie(tmp_path / ".cookie")


@pytest.mark.parametrize("content", [b"", b"no colon", b":x", b"x:", b"a:b\nc:d", b"\xff:x"])
def test_a_malformed_cookie_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".cookie").write_bytes(content)
    with pytest.raises(BadInputError, match=r"bitcoin_core\.cookie_file"):
        load_cookie(tmp_path / ".cookie")


@pytest.mark.parametrize("url", ["http://203.0.113.7:8332/", "ftp://127.0.0.1/", "127.0.0.1"])
def test_credentials_do_not_travel_in_the_clear(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"url|http"):
        config_of(url, tmp_path / ".cookie")


def test_nothing_listening_is_unreachable_and_soon_not_even_tried(tmp_path: Path) -> None:
    (tmp_path / ".cookie").write_text("a:b")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    settings = {"breaker_failures": 2, "breaker_reset_s": 3_600, "timeout_s": 0.5}
    config = config_of(url, tmp_path / ".cookie", **settings)
    with CoreRpc(config) as backend:
        for _ in range(2):
            with pytest.raises(NodeUnreachableError):
                backend.tip()
        with pytest.raises(NodeNotTriedError):
            backend.tip()


def test_refusals_do_not_open_the_breaker(tmp_path: Path) -> None:
    chain = EmbeddedChain()
    with served(chain, tmp_path, breaker_failures=1) as (_, backend):
        for _ in range(3):
            assert backend.pool_entry(bytes(32)) is None
        assert backend.tip().height == 0
    chain.close()


def test_another_network_is_refused_by_name(node: _Served) -> None:
    node.server.chain_name = "main"
    with pytest.raises(NetworkMismatchError, match="network is main, configured is regtest"):
        check_network(node.backend)
    node.server.chain_name = "test"  # testnet3 has no name here
    with pytest.raises(NetworkMismatchError, match="network is test"):
        check_network(node.backend)


def test_another_first_block_is_refused(node: _Served, tmp_path: Path) -> None:
    node.server.chain_name = "signet"
    config = config_of(node.server.url, node.server.cookie_file).model_copy(
        update={"network": Network.SIGNET}
    )
    with CoreRpc(config) as backend, pytest.raises(NetworkMismatchError, match="first block"):
        check_network(backend)


def test_a_pruned_block_is_named_with_what_is_left(node: _Served) -> None:
    node.chain.mine(10)
    node.server.pruned_below = 5
    facts = node.backend.facts()
    assert (facts.is_pruned, facts.lowest_block_height) == (True, 5)
    old = node.backend.header_at(4).ref
    with pytest.raises(PrunedError) as raised:
        node.backend.block(old.block_hash)
    assert (raised.value.height, raised.value.lowest_height) == (4, 5)
    assert node.backend.block(node.backend.header_at(5).ref.block_hash).height == 5


def test_prevouts_that_the_node_no_longer_has_are_unknown_not_empty(node: _Served) -> None:
    node.chain.mine(101, ANYONE)
    first = node.chain.block(node.chain.header_at(1).ref.block_hash).transactions[0]
    node.chain.mine_with([spend([OutPoint(first.txid, 0)], [TxOut(1_000, ANYONE)])])
    assert node.backend.block(node.backend.tip().block_hash).spent is not None
    node.server.has_undo = False
    assert node.backend.block(node.backend.tip().block_hash).spent is None


def test_no_estimate_is_none_with_cores_reason(node: _Served) -> None:
    node.server.has_estimates = False
    estimate = node.backend.fee_estimate(6)
    assert estimate.feerate_sat_per_kvb is None
    assert estimate.problem == "Insufficient data or no feerate found"


def test_a_package_that_a_nodes_test_cannot_judge_is_undetermined(node: _Served) -> None:
    node.chain.mine(101, ANYONE)
    first = node.chain.block(node.chain.header_at(1).ref.block_hash).transactions[0]
    amount_sat = first.outputs[0].amount_sat
    parent = spend([OutPoint(first.txid, 0)], [TxOut(amount_sat, ANYONE)], version=3)
    child = spend([parent.outpoint(0)], [TxOut(amount_sat - 1_000, ANYONE)], version=3)
    verdict = node.backend.test_accept_package(parent, child)
    assert verdict.state is PackageState.UNDETERMINED
    assert not verdict.is_accepted
    assert node.chain.test_accept_package(parent, child).state is PackageState.ACCEPTED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b"[" * 100_000,
        _answering(result=[]),
        _answering(result={"blocks": 1}),
        _answering(result={"blocks": "1", "bestblockhash": "00" * 32}),
        _answering(result={"blocks": True, "bestblockhash": "00" * 32}),
        _answering(result={"blocks": 1, "bestblockhash": "zz" * 32}),
        _answering(error="broken"),
        _answering(error={"code": "-1", "message": "x"}),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(node: _Served, content: bytes) -> None:
    node.server.broken = lambda _method: content
    with pytest.raises(NodeUnreachableError):
        node.backend.tip()


@pytest.mark.parametrize("status", [301, 403, 503])
def test_another_status_is_no_answer(node: _Served, status: int) -> None:
    node.server.broken = lambda _method: _answering(result=1)
    node.server.status_of_broken = status
    with pytest.raises(NodeUnreachableError, match=str(status)):
        node.backend.tip()


def test_a_node_that_is_starting_is_not_there_yet(node: _Served) -> None:
    warming = {"code": -28, "message": "Loading block index..."}
    node.server.broken = lambda _method: _answering(error=warming)
    node.server.status_of_broken = 500
    with pytest.raises(NodeUnreachableError, match="starting: Loading block index"):
        node.backend.tip()


def test_a_slow_call_does_not_hold_up_another(node: _Served) -> None:
    release, asked = threading.Event(), threading.Event()

    def slow(method: str) -> bytes | None:
        if method == "getrawmempool":
            asked.set()
            assert release.wait(60)
        return None

    node.server.broken = slow
    waiting = threading.Thread(target=node.backend.pool_txids)
    waiting.start()
    assert asked.wait(60)
    assert node.backend.tip().height == 0
    assert waiting.is_alive()
    release.set()
    waiting.join()


def test_another_header_than_the_one_asked_for_is_not_believed(node: _Served) -> None:
    node.chain.mine(2)
    other = node.server.rpc_getblockheader(node.server.rpc_getblockhash(1), True)
    told = _answering(result=other)
    node.server.broken = lambda method: told if method == "getblockheader" else None
    with pytest.raises(UntrustworthyNodeError):
        node.backend.header_at(2)


def test_a_verdict_about_another_transaction_is_not_believed(node: _Served) -> None:
    told = _answering(result=[{"txid": "00" * 32, "wtxid": "00" * 32, "allowed": True}])
    node.server.broken = lambda _method: told
    with pytest.raises(UntrustworthyNodeError, match="another"):
        node.backend.test_accept(spend([OutPoint(bytes(32), 0)], [TxOut(1, ANYONE)]))


def test_an_error_of_another_kind_is_raised_as_it_is(node: _Served) -> None:
    told = _answering(error={"code": -7, "message": "Out of memory"})
    node.server.broken = lambda _method: told
    node.server.status_of_broken = 500
    with pytest.raises(NodeRefusedError, match="Out of memory") as raised:
        node.backend.broadcast(spend([OutPoint(bytes(32), 0)], [TxOut(1, ANYONE)]))
    assert (raised.value.code, raised.value.method) == (-7, "sendrawtransaction")
