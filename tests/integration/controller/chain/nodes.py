"""The backends that the same tests run against, each with a miner.

With BES_TEST_BITCOIND set to Bitcoin Core's program, "core" is that program; otherwise it is
`core_server` over the embedded chain.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from controller.chain.backend import ChainBackend
from controller.chain.core_rpc.backend import CoreRpc
from controller.chain.core_rpc.client import CoreRpcClient
from controller.chain.core_rpc.config import CoreRpcConfig
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import NodeUnreachableError
from shared.bitcoin.networks import Network
from shared.bitcoin.transaction import Transaction, display
from tests.integration.controller.chain.core_server import CoreServer
from tests.integration.controller.chain.publisher import Publisher

KINDS = ("embedded", "core")
PROGRAM = os.environ.get("BES_TEST_BITCOIND")
_START_DEADLINE_S = 120


class Node(Protocol):
    """A backend and what only its miner can do."""

    @property
    def backend(self) -> ChainBackend: ...

    @property
    def zmq_url(self) -> str | None: ...

    def mine(self, count: int, script_pubkey: bytes) -> None: ...

    def mine_with(self, transactions: Sequence[Transaction], script_pubkey: bytes) -> None: ...

    def reorganise(self, fork_height: int, length: int, script_pubkey: bytes) -> None: ...


class EmbeddedNode:
    """The embedded chain, by itself or behind a server."""

    def __init__(
        self, chain: EmbeddedChain, backend: ChainBackend, zmq_url: str | None = None
    ) -> None:
        self.backend = backend
        self.zmq_url = zmq_url
        self._chain = chain

    def mine(self, count: int, script_pubkey: bytes) -> None:
        self._chain.mine(count, script_pubkey)

    def mine_with(self, transactions: Sequence[Transaction], script_pubkey: bytes) -> None:
        self._chain.mine_with(transactions, script_pubkey)

    def reorganise(self, fork_height: int, length: int, script_pubkey: bytes) -> None:
        self._chain.reorganise(fork_height, length, script_pubkey)


class BitcoinCoreNode:
    """The real program, on regtest with the policy of its main network."""

    def __init__(self, backend: ChainBackend, client: CoreRpcClient, zmq_url: str) -> None:
        self.backend = backend
        self.zmq_url = zmq_url
        self._client = client

    def mine(self, count: int, script_pubkey: bytes) -> None:
        self._client.call("generatetodescriptor", count, f"raw({script_pubkey.hex()})")

    def mine_with(self, transactions: Sequence[Transaction], script_pubkey: bytes) -> None:
        raw = [one.serialise().hex() for one in transactions]
        self._client.call("generateblock", f"raw({script_pubkey.hex()})", raw)

    def reorganise(self, fork_height: int, length: int, script_pubkey: bytes) -> None:
        first = self.backend.header_at(fork_height + 1).ref.block_hash
        self._client.call("invalidateblock", display(first))
        for _ in range(length):
            self.mine_with([], script_pubkey)


@contextmanager
def node_of(kind: str, folder: Path) -> Iterator[Node]:
    """A running node with nothing but its first block."""
    if kind == "core" and PROGRAM is not None:
        with _bitcoin_core(PROGRAM, folder) as node:
            yield node
        return
    if kind == "embedded":
        chain = EmbeddedChain()
        try:
            yield EmbeddedNode(chain, chain)
        finally:
            chain.close()
        return
    with _stand_in(folder) as node:
        yield node


@contextmanager
def _stand_in(folder: Path) -> Iterator[Node]:
    publisher = Publisher()
    chain = EmbeddedChain(
        on_block=lambda: publisher.publish(b"hashblock", chain.tip().block_hash[::-1])
    )
    try:
        with served(chain, folder) as (_, backend):
            yield EmbeddedNode(chain, backend, publisher.url)
    finally:
        chain.close()
        publisher.stop()


@contextmanager
def served(
    chain: EmbeddedChain, folder: Path, **settings: Any
) -> Iterator[tuple[CoreServer, CoreRpc]]:
    """A server over the chain, and the backend that speaks with it."""
    server = CoreServer(chain, folder)
    try:
        with CoreRpc(config_of(server.url, server.cookie_file, **settings)) as backend:
            yield server, backend
    finally:
        server.stop()


def config_of(url: str, cookie_file: Path, **settings: Any) -> CoreRpcConfig:
    return CoreRpcConfig(network=Network.REGTEST, url=url, cookie_file=cookie_file, **settings)


@contextmanager
def _bitcoin_core(program: str, folder: Path) -> Iterator[Node]:
    port, zmq_url = _free_port(), f"tcp://127.0.0.1:{_free_port()}"
    settings = ["-regtest", "-server", "-listen=0", "-acceptnonstdtxn=0", "-persistmempool=0"]
    settings += ["-minrelaytxfee=0.00001", "-incrementalrelayfee=0.00001"]
    settings += [f"-zmqpubhashblock={zmq_url}", f"-zmqpubhashtx={zmq_url}"]
    process = subprocess.Popen(
        [program, f"-datadir={folder}", f"-rpcport={port}", *settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    config = config_of(f"http://127.0.0.1:{port}/", folder / "regtest" / ".cookie")
    try:
        with CoreRpc(config) as backend:
            _wait_until_it_answers(process, backend)
            client = CoreRpcClient(config)
            yield BitcoinCoreNode(backend, client, zmq_url)
            client.close()
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", backend: CoreRpc) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while True:
        try:
            backend.tip()
        except NodeUnreachableError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
