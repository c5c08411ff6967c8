"""Broken replies through real sockets and the whole driver: a reading or a typed error."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.antminer.device import Antminer
from firmware_bridges.miners.antminer.settings import AntminerSettings
from firmware_bridges.miners.luxos.device import LuxosMiner
from firmware_bridges.miners.luxos.settings import LuxosSettings
from firmware_bridges.readings import MinerReading
from firmware_bridges.simulators.antminer import AntminerPersona, AntminerSimulator
from firmware_bridges.simulators.luxos import LuxosPersona, LuxosSimulator
from firmware_bridges.simulators.misbehaviour import Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from shared.setpoints import Stop
from tests.property.drivers.mutations import mutated_replies

GENEROUS_S = 30.0


def simulated_miner() -> SimulatedMiner:
    model = MinerModel("Any", "1", "SN", "02:00:00:00:00:01", Point(3_000.0, 100.0))
    return SimulatedMiner(model, time.monotonic)


async def read_antminer(replies: dict[str, bytes], password_file: Path) -> None:
    simulator = AntminerSimulator(
        simulated_miner(), Script(), AntminerPersona(password="x", replay=replies)
    )
    await simulator.start()
    device = Antminer(
        AntminerSettings(
            host="127.0.0.1",
            api_port=simulator.api_port,
            http_port=simulator.http_port,
            password_file=password_file,
            deadline_s=GENEROUS_S,
        )
    )
    try:
        with contextlib.suppress(DeviceError):
            assert isinstance(await device.read(), MinerReading)
        with contextlib.suppress(DeviceError):
            await device.apply(Stop())
    finally:
        await device.close()
        await simulator.stop()


async def read_luxos(replies: dict[str, bytes]) -> None:
    simulator = LuxosSimulator(simulated_miner(), Script(), LuxosPersona(replay=replies))
    await simulator.start()
    device = LuxosMiner(LuxosSettings(host="127.0.0.1", port=simulator.port, deadline_s=GENEROUS_S))
    try:
        with contextlib.suppress(DeviceError):
            assert isinstance(await device.read(), MinerReading)
        with contextlib.suppress(DeviceError):
            await device.capabilities()
        with contextlib.suppress(DeviceError):
            await device.apply(Stop())
    finally:
        await simulator.stop()


@pytest.fixture(scope="module")
def antminer_captures(shared_data: Path) -> dict[str, bytes]:
    folder = shared_data / "miners" / "antminer" / "v2020"
    captures = {file.stem: file.read_bytes() for file in sorted(folder.glob("*.json"))}
    captures["get_system_info.cgi"] = captures.pop("system_info")
    captures["get_miner_conf.cgi"] = b'{"bitmain-work-mode": "0", "pools": [{"url": "x"}]}'
    return captures


@pytest.fixture(scope="module")
def luxos_captures(shared_data: Path) -> dict[str, bytes]:
    folder = shared_data / "miners" / "luxminer" / "v1"
    return {file.stem: file.read_bytes() for file in sorted(folder.glob("*.json"))}


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("antminer") / "password"
    file.write_text("x")
    return file


@settings(max_examples=30)
@given(data=st.data())
def test_a_broken_antminer_gives_a_reading_or_a_device_error(
    antminer_captures: dict[str, bytes], password_file: Path, data: st.DataObject
) -> None:
    asyncio.run(read_antminer(data.draw(mutated_replies(antminer_captures)), password_file))


@settings(max_examples=30)
@given(data=st.data())
def test_a_broken_luxos_miner_gives_a_reading_or_a_device_error(
    luxos_captures: dict[str, bytes], data: st.DataObject
) -> None:
    asyncio.run(read_luxos(data.draw(mutated_replies(luxos_captures))))
