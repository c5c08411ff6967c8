"""The whole agent: started, asked, commanded, stopped."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.cli import fetch_status, main
from agent.config import AgentConfig, load_config
from agent.runtime.process import run_agent
from firmware_bridges.simulators.luxos import LuxosSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from shared.messages.event import Event, EventKind
from shared.messages.reply import Reply
from shared.messages.state import State
from tests.brokers import Broker, running_broker
from tests.integration.agent.runtime.installations import Installation, installed
from tests.unit.agent.commands.orders import NODE, order, signed

PATIENCE_S = 120.0
PROGRAM = "import sys; from agent.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@asynccontextmanager
async def a_miner() -> AsyncIterator[LuxosSimulator]:
    model = MinerModel("S19", "LUXminer", "", "", Point(3_000.0, 150.0), ramp_s=0.2)
    simulator = LuxosSimulator(SimulatedMiner(model, time.monotonic), Script())
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()


@asynccontextmanager
async def living(config: AgentConfig) -> AsyncIterator[None]:
    stop = asyncio.Event()
    life = asyncio.create_task(run_agent(config, stop))
    try:
        await until(lambda: life.done() or config.status_address_file.exists())
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await life


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - another thread or process changes it
            await asyncio.sleep(0.05)


async def status(config: AgentConfig) -> Any:
    address = config.status_address_file.read_text(encoding="utf-8").strip()
    return await asyncio.to_thread(fetch_status, address)


async def until_status(config: AgentConfig, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not holds(found := await status(config)):  # noqa: ASYNC110 - asked over HTTP
            await asyncio.sleep(0.05)
    return found


def events(installation: Installation) -> list[Event]:
    file = installation.data_dir / "agent.sqlite"
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        rows = connection.execute("SELECT body FROM event ORDER BY seq").fetchall()
    return [Event.decode(body) for (body,) in rows]


def replies(installation: Installation) -> list[str]:
    found = [e for e in events(installation) if e.kind is EventKind.REPLY]
    return [Reply.from_data(event.data).state.value for event in found]


def told(installation: Installation) -> list[str]:
    return [e.data["what"] for e in events(installation) if e.kind is EventKind.AGENT]


def lives(installation: Installation) -> list[str]:
    return [what for what in told(installation) if what in {"started", "stopping"}]


class Controller:
    """Sends commands and keeps the last retained state of the node."""

    def __init__(self, broker: Broker) -> None:
        self.state: State | None = None
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set_context(broker.client_context("controller"))
        self._client.on_message = lambda _c, _d, message: self._keep(bytes(message.payload))
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._client.subscribe(f"bes/1/{NODE}/state", 1)
        assert self.subscribed.wait(PATIENCE_S)

    def send(self, message: bytes) -> None:
        self._client.publish(f"bes/1/{NODE}/command", message, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, payload: bytes) -> None:
        self.state = State.decode(payload)


@pytest.fixture
def controller(broker: Broker) -> Iterator[Controller]:
    made = Controller(broker)
    yield made
    made.close()


def stream_of(installation: Installation) -> int:
    file = installation.data_dir / "agent.sqlite"
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        row = connection.execute("SELECT id FROM streams WHERE name = 'event'").fetchone()
    return int(row[0])


async def test_a_command_over_the_wire_stops_a_miner_once_and_a_replay_after_a_restart_nothing(
    tmp_path: Path, broker: Broker, controller: Controller
) -> None:
    async with a_miner() as simulator:
        installation = installed(tmp_path, broker, simulator.port)
        config = load_config(installation.file, {})
        async with living(config):
            await until_status(config, lambda s: s["link"]["connected"] and read(s))
            now_ms = time.time_ns() // 1_000_000
            stream = stream_of(installation)
            command = order(
                1,
                stream=stream,
                issued_at_ms=now_ms,
                not_before_ms=now_ms,
                expires_at_ms=now_ms + 600_000,
            )
            controller.send(signed(command))
            await until(lambda: len(replies(installation)) == 2)
            assert replies(installation)[0] == "accepted"
            assert not simulator.miner.mining
            writes = len(simulator.writes)
        async with living(config):
            await until_status(config, lambda s: s["link"]["connected"])
            controller.send(signed(command))
            controller.send(b"not a command")
            found = await until_status(config, lambda s: s["commands"]["unproven"] == 1)
            assert found["commands"]["repeated"] == 1
            assert len(simulator.writes) == writes
    assert replies(installation)[1:] == [replies(installation)[1]] * 2
    assert lives(installation) == ["started", "stopping", "started", "stopping"]
    assert told(installation).count("commands_unproven") == 1


def read(found: Any) -> bool:
    return all(device["read_ms"] is not None for device in found["site"]["devices"])


async def test_the_agent_says_it_is_online_and_offline(
    tmp_path: Path, broker: Broker, controller: Controller
) -> None:
    config = load_config(installed(tmp_path, broker).file, {})
    async with living(config):
        await until(lambda: controller.state is not None and controller.state.online)
    await until(lambda: controller.state is not None and not controller.state.online)
    assert not config.status_address_file.exists()


async def test_the_agent_measures_without_a_broker(tmp_path: Path) -> None:
    async with a_miner() as simulator:
        nobody = Broker(tmp_path / "nobody")
        config = load_config(installed(tmp_path, nobody, simulator.port).file, {})
        async with living(config):
            found = await until_status(config, lambda s: s["buffer"]["rows_accepted"] >= 5)
    assert not found["link"]["connected"]
    assert found["link"]["problem"]
    assert found["buffer"]["oldest_ms"]["telemetry"] is not None


async def test_a_damaged_database_is_set_aside_and_told_of(tmp_path: Path) -> None:
    installation = installed(tmp_path, Broker(tmp_path / "nobody"))
    installation.data_dir.mkdir()
    (installation.data_dir / "agent.sqlite").write_bytes(b"no database at all" * 1_000)
    async with living(load_config(installation.file, {})):
        pass
    assert "database_replaced" in told(installation)


def test_a_running_agent_shows_its_status_and_ends_in_order_on_sigterm(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = installed(tmp_path, broker)
    address = installation.data_dir / "status-address"
    command = [sys.executable, "-c", PROGRAM, "run", "--config", str(installation.file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline_s = time.monotonic() + PATIENCE_S
        while not address.exists() and time.monotonic() < deadline_s:
            assert process.poll() is None
            time.sleep(0.05)
        assert main(["status", "--config", str(installation.file)]) == 0
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, log
    shown = capsys.readouterr().out
    assert shown.startswith("site-a-01 (site), ")
    assert "miner-1" in shown
    assert "Traceback" not in log
    assert lives(installation) == ["started", "stopping"]
