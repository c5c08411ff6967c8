"""Datagrams to a real socket in the place of systemd's."""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.host.service_manager import Health, ServiceManager

PATIENCE_S = 60.0


@contextmanager
def listening(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        receiver.settimeout(PATIENCE_S)
        yield receiver


@pytest.fixture(name="address", params=["path", "abstract"])
def _address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"@bes-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "n")


def test_what_is_said_arrives_in_one_datagram(address: str) -> None:
    with listening(address) as receiver:
        ServiceManager(address, None).say("READY=1", "STATUS=connected")
        assert receiver.recv(4096) == b"READY=1\nSTATUS=connected"


def test_stopping_is_said_with_a_reason(address: str) -> None:
    with listening(address) as receiver:
        ServiceManager(address, None).stopping("brings\nall to rest")
        assert receiver.recv(4096) == b"STOPPING=1\nSTATUS=brings all to rest"


def test_nothing_is_said_and_nothing_fails_without_a_listener(tmp_path: Path) -> None:
    ServiceManager(None, None).say("READY=1")
    ServiceManager(str(tmp_path / "nobody"), None).say("READY=1")


def test_the_environment_names_the_socket(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    manager = ServiceManager.from_environment()
    assert manager.present
    assert manager.every_s == 1.0
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not ServiceManager.from_environment().present


async def test_a_loop_that_hangs_feeds_nothing_and_one_that_turns_does(address: str) -> None:
    with listening(address) as receiver:
        receiver.setblocking(False)
        manager = ServiceManager(address, 0.05)
        alive = asyncio.create_task(
            manager.keep_alive(lambda: Health(ready=True, status="well"), grace_s=1.0)
        )
        assert await _next(receiver) == b"READY=1\nSTATUS=well\nWATCHDOG=1"
        assert await _next(receiver) == b"WATCHDOG=1"
        _drain(receiver)
        time.sleep(1.0)  # noqa: ASYNC251 - the hang itself
        with pytest.raises(BlockingIOError):
            receiver.recv(4096)
        assert await _next(receiver) == b"WATCHDOG=1"
        alive.cancel()


async def test_what_is_stuck_starves_while_the_loop_turns(address: str) -> None:
    with listening(address) as receiver:
        receiver.setblocking(False)
        looks = 0
        enough = asyncio.Event()

        def look() -> Health:
            nonlocal looks
            looks += 1
            if looks >= 20:
                enough.set()
            return Health(ready=True, status="", stuck="a task does not run")

        manager = ServiceManager(address, 0.02)
        alive = asyncio.create_task(manager.keep_alive(look, grace_s=0.0))
        assert await _next(receiver) == b"READY=1\nSTATUS=a task does not run"
        await asyncio.wait_for(enough.wait(), PATIENCE_S)
        with pytest.raises(BlockingIOError):
            receiver.recv(4096)
        alive.cancel()


async def _next(receiver: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.sock_recv(receiver, 4096), PATIENCE_S)


def _drain(receiver: socket.socket) -> None:
    while True:
        try:
            receiver.recv(4096)
        except BlockingIOError:
            return
