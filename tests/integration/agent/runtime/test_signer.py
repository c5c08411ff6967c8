"""A whole signer under a service manager: ready, alive, refusing, stopped."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import load_config
from tests.brokers import Broker, running_broker
from tests.integration.agent.runtime.installations import Installation, installed
from tests.integration.agent.runtime.test_process import (
    PATIENCE_S,
    Controller,
    living,
    replies,
    stream_of,
    until,
)
from tests.unit.agent.commands.orders import order, signed


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, broker: Broker) -> Installation:
    made = installed(tmp_path, broker)
    text = made.file.read_text(encoding="utf-8")
    made.file.write_text(f'role = "signer"\n{text[: text.index("[collect]")]}', encoding="utf-8")
    return made


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield receiver


async def hears(receiver: socket.socket, *wanted: str) -> None:
    """Returns once each was said, in whatever order and grouping."""
    loop = asyncio.get_running_loop()
    missing = set(wanted)
    async with asyncio.timeout(PATIENCE_S):
        while missing:
            missing -= set((await loop.sock_recv(receiver, 4096)).decode().split("\n"))


async def test_it_says_that_it_is_ready_connected_alive_and_stopping(
    installation: Installation, notified: socket.socket
) -> None:
    async with living(load_config(installation.file, {})):
        await hears(notified, "READY=1", "STATUS=connected", "WATCHDOG=1")
    await hears(notified, "STOPPING=1")


async def test_a_signed_command_is_refused_and_nothing_else_happens(
    installation: Installation, broker: Broker
) -> None:
    controller = await asyncio.to_thread(Controller, broker)
    try:
        async with living(load_config(installation.file, {})):
            await until(lambda: controller.state is not None and controller.state.online)
            now_ms = time.time_ns() // 1_000_000
            command = order(
                1,
                stream=stream_of(installation),
                issued_at_ms=now_ms,
                not_before_ms=now_ms,
                expires_at_ms=now_ms + 600_000,
            )
            controller.send(signed(command))
            await until(lambda: replies(installation) != [])
            assert replies(installation) == ["refused"]
    finally:
        controller.close()
