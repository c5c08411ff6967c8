"""The controller's signs of life on a real socket, and its database copied by its own command."""

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.cli import main
from controller.pulse import beat
from shared.host.service_manager import ServiceManager

PATIENCE_S = 60.0


@pytest.fixture(name="receiver")
def _receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


async def hears(receiver: socket.socket, *wanted: str) -> None:
    loop = asyncio.get_running_loop()
    missing = set(wanted)
    async with asyncio.timeout(PATIENCE_S):
        while missing:
            missing -= set((await loop.sock_recv(receiver, 4096)).decode().split("\n"))


async def test_it_becomes_ready_when_the_database_is_and_tells_of_a_broker_that_is_away(
    receiver: socket.socket, tmp_path: Path
) -> None:
    problems = {"database": "OperationalError", "broker": "not connected"}
    manager = ServiceManager(str(tmp_path / "notify"), 0.02)
    beating = asyncio.create_task(beat(manager, lambda: dict(problems), lambda: True))
    await hears(receiver, "STATUS=broker: not connected; database: OperationalError", "WATCHDOG=1")
    del problems["database"]
    await hears(receiver, "READY=1", "STATUS=broker: not connected")
    problems.clear()
    await hears(receiver, "STATUS=ready")
    beating.cancel()


async def test_checks_that_wait_hold_the_loop_up_no_moment_and_are_told(
    receiver: socket.socket, tmp_path: Path
) -> None:
    released = threading.Event()

    def never() -> dict[str, str]:
        released.wait(PATIENCE_S)
        return {}

    manager = ServiceManager(str(tmp_path / "notify"), 0.02)
    beating = asyncio.create_task(beat(manager, never, lambda: True))
    await hears(receiver, "STATUS=checks: not made yet", "WATCHDOG=1")
    await hears(receiver, "WATCHDOG=1")
    released.set()
    await hears(receiver, "READY=1")
    beating.cancel()


async def test_a_loop_that_hangs_is_silent(receiver: socket.socket, tmp_path: Path) -> None:
    manager = ServiceManager(str(tmp_path / "notify"), 0.02)
    beating = asyncio.create_task(beat(manager, dict, lambda: True))
    await hears(receiver, "READY=1")
    _drain(receiver)
    time.sleep(1.0)  # noqa: ASYNC251 - the hang itself
    with pytest.raises(BlockingIOError):
        receiver.recv(4096)
    await hears(receiver, "WATCHDOG=1")
    beating.cancel()


def test_backup_copies_the_database_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/c.sqlite"\n')
    arguments = ["backup", "--config", str(config)]
    assert main(arguments) == 1
    assert "there is no database" in capsys.readouterr().err
    assert main(["migrate", "--config", str(config)]) == 0
    assert main(arguments) == 0
    (copy,) = (tmp_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_backup_leaves_postgresql_to_its_own_tools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "controller.toml"
    config.write_text('[database]\nurl = "postgresql+psycopg://nobody@127.0.0.1:1/none"\n')
    assert main(["backup", "--config", str(config)]) == 0
    assert "PostgreSQL" in capsys.readouterr().out


def _drain(receiver: socket.socket) -> None:
    while True:
        try:
            receiver.recv(4096)
        except BlockingIOError:
            return
