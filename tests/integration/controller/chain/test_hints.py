"""Hints from the node's publisher, and backends opened by name."""

import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.background import Worker
from controller.chain import plugins
from controller.chain.core_rpc.hints import ChainHints
from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.follower.runner import Follower
from controller.chain.plugins import GROUP, open_backend
from controller.storage.engine import Storage
from shared.errors import BadInputError
from tests.integration.controller.chain.nodes import served
from tests.integration.controller.chain.publisher import Publisher
from tests.waiting import wait_for

_DEADLINE_S = 30


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    opened = Publisher()
    yield opened
    opened.stop()


def test_every_message_and_every_connection_is_a_hint(publisher: Publisher) -> None:
    hinted = threading.Semaphore(0)
    hints = ChainHints(publisher.url, hinted.release)
    hints.start()
    try:
        assert hinted.acquire(timeout=_DEADLINE_S)  # for what happened before it connected
        assert publisher.subscribed.wait(_DEADLINE_S)
        assert publisher.topics == [b"hashblock", b"hashtx"]
        publisher.publish(b"hashblock", bytes(32))
        assert hinted.acquire(timeout=_DEADLINE_S)
        publisher.hang_up()
        assert hinted.acquire(timeout=_DEADLINE_S)
        assert publisher.subscribed.wait(_DEADLINE_S)
    finally:
        hints.stop()


def test_a_follower_looks_at_a_hint_long_before_its_interval(
    storage: Storage, publisher: Publisher, tmp_path: Path
) -> None:
    chain = EmbeddedChain()
    with served(chain, tmp_path) as (_, backend):
        follower = Follower(backend, storage)
        follower.start(birth_height=0)
        worker = Worker("chain", follower.work, every_s=3_600)
        hints = ChainHints(publisher.url, worker.wake)
        worker.start()
        hints.start()
        try:
            assert publisher.subscribed.wait(_DEADLINE_S)
            (mined,) = chain.mine()
            publisher.publish(b"hashblock", mined.block_hash[::-1])
            wait_for(lambda: follower.start().height == 1, "the block")
        finally:
            hints.stop()
            worker.stop()
    chain.close()


@pytest.fixture
def built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points of the built-in backends, whatever is installed."""
    points = [
        EntryPoint("embedded", "controller.chain.embedded.plugin:PLUGIN", GROUP),
        EntryPoint("core", "controller.chain.core_rpc.plugin:PLUGIN", GROUP),
        EntryPoint("odd", "controller.chain.plugins:GROUP", GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == GROUP else [])


@pytest.mark.usefixtures("built_in")
def test_backends_are_opened_by_name(tmp_path: Path, publisher: Publisher) -> None:
    woken = threading.Event()
    with open_backend("embedded", {"folder": tmp_path / "chain"}, woken.set) as backend:
        assert isinstance(backend, EmbeddedChain)
        backend.mine()
        assert woken.is_set()
        with served(backend, tmp_path) as (server, _):
            woken.clear()
            settings = {"network": "regtest", "url": server.url, "zmq_url": publisher.url}
            settings["cookie_file"] = str(server.cookie_file)
            with open_backend("core", settings, woken.set) as remote:
                assert remote.tip() == backend.tip()
                assert woken.wait(_DEADLINE_S)


@pytest.mark.usefixtures("built_in")
def test_a_backend_nobody_has_or_with_settings_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"'dogecoin' \(allowed: core, embedded, odd\)"):
        open_backend("dogecoin", {}, print)
    with pytest.raises(BadInputError, match="no BackendPlugin"):
        open_backend("odd", {}, print)
    with pytest.raises(ValidationError):
        open_backend("embedded", {"fodler": "x"}, print)
