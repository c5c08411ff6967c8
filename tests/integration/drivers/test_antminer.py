"""The Antminer driver against its simulator, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.antminer import DRIVER
from firmware_bridges.miners.antminer.device import Antminer
from firmware_bridges.miners.antminer.reading import antminer_reading
from firmware_bridges.miners.antminer.settings import AntminerSettings
from firmware_bridges.miners.cgminer import parse_reply, reply_source
from firmware_bridges.protocol import Miner
from firmware_bridges.simulators.antminer import AntminerPersona, AntminerSimulator
from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Stop
from tests.integration.drivers.miner_site import FAILURES_ON_4028, cancel_midway

MODEL = MinerModel(
    model="Antminer S21",
    firmware="FR-1.12(SIM)",
    serial="SIM0001",
    mac="02:00:00:00:00:01",
    rated=Point(3_500.0, 200.0),
    presets={"low_power": Point(2_600.0, 160.0)},
    chips_per_board=108,
    ramp_s=60.0,
)
GENEROUS_S = 30.0


class Bench:
    """A simulator on a clock that the test turns."""

    def __init__(self, password_file: Path, persona: AntminerPersona | None = None) -> None:
        self.now_s = 1_000.0
        self.script = Script()
        self.miner = SimulatedMiner(MODEL, lambda: self.now_s)
        self.simulator = AntminerSimulator(self.miner, self.script, persona)
        self.password_file = password_file
        self.opened: list[Antminer] = []

    def open(self, **changes: Any) -> Antminer:
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "api_port": self.simulator.api_port,
            "http_port": self.simulator.http_port,
            "password_file": self.password_file,
            "low_power": True,
            "deadline_s": GENEROUS_S,
        }
        device = DRIVER.open(DRIVER.settings(**(settings | changes)))
        assert isinstance(device, Antminer)
        self.opened.append(device)
        return device


@contextlib.asynccontextmanager
async def running(password_file: Path, persona: AntminerPersona | None) -> AsyncIterator[Bench]:
    bench = Bench(password_file, persona)
    await bench.simulator.start()
    try:
        yield bench
    finally:
        for device in bench.opened:
            await device.close()
        await bench.simulator.stop()


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    return file


@pytest.fixture
async def bench(password_file: Path) -> AsyncIterator[Bench]:
    async with running(password_file, AntminerPersona(password="s3cret", boot_s=90)) as bench:
        yield bench


def known_ths(value: float | Unknown) -> float:
    assert not isinstance(value, Unknown)
    return value


async def test_it_is_a_miner_with_frozen_settings(bench: Bench) -> None:
    assert isinstance(bench.open(), Miner)
    with pytest.raises(ValueError, match="extra"):
        AntminerSettings(host="x", colour="red")  # type: ignore[call-arg]  # what is refused


async def test_captures_read_through_the_socket_are_what_they_are_in_the_files(
    shared_data: Path, password_file: Path
) -> None:
    folder = shared_data / "miners" / "antminer" / "v2020"
    captures = {file.stem: file.read_bytes() for file in folder.glob("*.json")}
    captures["get_system_info.cgi"] = captures["system_info"]
    async with running(password_file, AntminerPersona(password="s3cret", replay=captures)) as bench:
        reading = await bench.open().read()
    expected = antminer_reading(
        {
            **{name: reply_source(captures[name], name) for name in ("stats", "pools", "version")},
            "get_system_info": parse_reply(captures["system_info"]),
        }
    )
    assert reading.identity == expected.identity
    assert reading.boards == expected.boards
    assert reading.fans == expected.fans
    assert reading.pools == expected.pools
    assert reading.hashrate_ths == expected.hashrate_ths
    assert reading.uptime_s == 50_474
    assert isinstance(reading.preset, Unknown)  # get_miner_conf.cgi was not captured: 404


async def test_a_reading_has_what_the_simulated_miner_is(bench: Bench) -> None:
    bench.now_s += 500
    reading = await bench.open().read()
    assert reading.identity.serial == "SIM0001"
    assert reading.identity.firmware == "FR-1.12(SIM)"
    assert (reading.mining, reading.preset) == (True, "normal")
    assert reading.hashrate_ths == pytest.approx(200.0)
    assert reading.uptime_s == 500
    assert reading.faults == ()
    assert not isinstance(reading.boards, Unknown)
    assert [board.chips for board in reading.boards] == [108, 108, 108]


async def test_a_stop_is_obeyed_with_the_ramp_and_read_back(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Stop())
    bench.now_s += 30
    halfway = await device.read()
    assert (halfway.mining, halfway.preset) == (False, "sleep")
    assert known_ths(halfway.hashrate_ths) == pytest.approx(100.0, rel=0.01)
    bench.now_s += 31
    assert (await device.read()).hashrate_ths == 0.0
    assert bench.miner.point().power_w == pytest.approx(45.0)


async def test_run_and_low_power_are_modes_of_their_own(bench: Bench) -> None:
    device = bench.open()
    await device.apply(Preset("low_power"))
    bench.now_s += 61
    reading = await device.read()
    assert (reading.mining, reading.preset) == (True, "low_power")
    assert reading.hashrate_ths == pytest.approx(160.0)
    await device.apply(Run())
    bench.now_s += 61
    reading = await device.read()
    assert (reading.mining, reading.preset) == (True, "normal")
    assert reading.hashrate_ths == pytest.approx(200.0)


async def test_a_write_leaves_pools_and_every_other_setting_as_they_were(bench: Bench) -> None:
    bench.simulator.configuration["bitmain-fan-pwm"] = "77"
    before = dict(bench.simulator.configuration)
    await bench.open().apply(Stop())
    after = dict(bench.simulator.configuration)
    assert after.pop("bitmain-work-mode") == "1"
    assert before.pop("bitmain-work-mode") == "0"
    assert after == before


async def test_a_mode_that_is_set_already_is_not_written_again(bench: Bench) -> None:
    bench.now_s += 500
    await bench.open().apply(Run())
    assert bench.miner.uptime_s == 500  # a write would have restarted hashing


async def test_a_configuration_without_pools_is_not_written_back(bench: Bench) -> None:
    del bench.simulator.configuration["pools"]
    with pytest.raises(MalformedReplyError, match="pools"):
        await bench.open().apply(Stop())
    assert bench.miner.mining


async def test_a_lie_about_success_shows_in_the_next_reading(bench: Bench) -> None:
    device = bench.open()
    assert (await device.read()).mining is True
    bench.script.order(Misbehaviour.LIE)
    await device.apply(Stop())
    reading = await device.read()
    assert (reading.mining, reading.preset) == (True, "normal")


async def test_a_read_before_a_write_never_passes_for_its_read_back(bench: Bench) -> None:
    device = bench.open()
    assert (await device.read()).preset == "normal"
    await device.apply(Stop())
    assert (await device.read()).preset == "sleep"


async def test_without_a_password_the_miner_is_read_only(bench: Bench) -> None:
    device = bench.open(password_file=None)
    reading = await device.read()
    assert reading.identity.model == "Antminer S21"
    assert reading.mining is True  # it hashes
    assert isinstance(reading.preset, Unknown)
    assert (await device.capabilities()).stop is False
    for setpoint in (Stop(), Run(), Preset("normal")):
        with pytest.raises(NotSupportedError):
            await device.apply(setpoint)
    with pytest.raises(NotSupportedError):
        await device.reboot()
    assert bench.miner.mining


async def test_a_wrong_password_is_not_authorised_and_costs_only_the_web_fields(
    bench: Bench, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    device = bench.open(password_file=wrong)
    reading = await device.read()
    assert isinstance(reading.preset, Unknown)
    assert reading.preset.reason is Reason.NOT_AUTHORISED
    assert reading.hashrate_ths == pytest.approx(200.0)
    with pytest.raises(NotAuthorisedError):
        await device.apply(Stop())
    assert bench.miner.mining


async def test_a_missing_password_file_is_not_authorised_and_names_the_file(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(NotAuthorisedError, match="absent"):
        await bench.open(password_file=tmp_path / "absent").apply(Stop())


@pytest.mark.parametrize("setpoint", [PowerLimit(2_000), Preset("turbo")])
async def test_what_the_miner_cannot_do_is_refused_before_anything_is_sent(
    bench: Bench, setpoint: PowerLimit | Preset
) -> None:
    bench.script.order(Misbehaviour.TIMEOUT)  # anything sent would wait for the deadline
    with pytest.raises(NotSupportedError):
        await bench.open().apply(setpoint)


async def test_low_power_needs_the_setting(bench: Bench) -> None:
    device = bench.open(low_power=False)
    assert [point.name for point in (await device.capabilities()).presets] == ["normal"]
    with pytest.raises(NotSupportedError, match="low_power"):
        await device.apply(Preset("low_power"))


async def test_a_refused_configuration_carries_the_miners_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.simulator.configuration["bitmain-work-mode"] = "0"
    device = bench.open()
    monkeypatch.setattr(
        "firmware_bridges.miners.antminer.device.with_mode",
        lambda configuration, mode: {"miner-mode": "not a mode"},
    )
    with pytest.raises(DeviceRefusedError, match="Invalid format") as refused:
        await device.apply(Stop())
    assert refused.value.code == "M001"


@pytest.mark.parametrize(("misbehaviour", "error"), FAILURES_ON_4028)
async def test_a_reading_of_a_miner_that_misbehaves_is_a_typed_error(
    bench: Bench, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    bench.script.order(misbehaviour)
    deadline_s = 0.2 if misbehaviour is Misbehaviour.TIMEOUT else GENEROUS_S
    with pytest.raises(error):
        await bench.open(deadline_s=deadline_s, password_file=None).read()
    with pytest.raises(DeviceError):
        await bench.open(deadline_s=deadline_s).read()
    bench.script.clear()
    assert (await bench.open().read()).mining is True


@pytest.mark.parametrize(
    "misbehaviour",
    [
        Misbehaviour.TIMEOUT,
        Misbehaviour.CUT_OFF,
        Misbehaviour.GARBAGE,
        Misbehaviour.REBOOT,
    ],
)
async def test_a_write_to_a_miner_that_misbehaves_is_a_typed_error(
    bench: Bench, misbehaviour: Misbehaviour
) -> None:
    bench.script.order(misbehaviour)
    deadline_s = 0.2 if misbehaviour is Misbehaviour.TIMEOUT else GENEROUS_S
    with pytest.raises(DeviceError):
        await bench.open(deadline_s=deadline_s).apply(Stop())
    bench.script.clear()
    device = bench.open()
    await device.apply(Stop())
    assert (await device.read()).mining is False


async def test_a_sleeping_miner_whose_api_is_down_still_gives_a_reading(bench: Bench) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    closed_port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    device = bench.open(api_port=closed_port)
    await device.apply(Stop())
    for _ in range(3):
        reading = await device.read()
        assert (reading.mining, reading.preset) == (False, "sleep")
        assert isinstance(reading.hashrate_ths, Unknown)
        assert reading.hashrate_ths.reason is Reason.UNREACHABLE


async def test_a_reboot_takes_the_miner_away_and_brings_it_back(bench: Bench) -> None:
    bench.now_s += 500
    device = bench.open()
    await device.reboot()
    with pytest.raises(DeviceUnreachableError):
        await device.read()
    bench.now_s += 95
    reading = await device.read()
    assert reading.uptime_s == 95


async def test_a_miner_without_supply_is_unreachable(bench: Bench) -> None:
    bench.miner.power(on=False)
    with pytest.raises(DeviceUnreachableError):
        await bench.open().read()


async def test_a_cancelled_reading_leaves_the_device_usable(bench: Bench) -> None:
    device = bench.open()
    bench.script.order(Misbehaviour.TIMEOUT)
    await cancel_midway(device.read())
    bench.script.clear()
    assert (await device.read()).mining is True


async def test_the_password_stands_in_no_error_and_no_repr(bench: Bench) -> None:
    device = bench.open()
    bench.script.order(Misbehaviour.GARBAGE)
    with pytest.raises(DeviceError) as failed:
        await device.apply(Stop())
    assert "s3cret" not in f"{failed.value!r} {device!r} {bench.simulator.persona!r}"


async def test_close_may_be_called_twice(bench: Bench) -> None:
    device = bench.open()
    await device.read()
    await device.close()
    await device.close()
