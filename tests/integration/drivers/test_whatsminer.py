"""Every Whatsminer capture, read by the driver through a real socket, against what is in it.

Not read: `get_psu.json` of v1 and v2 (the power supply's name and versions; a reading has no place
for them).
"""

from pathlib import Path

import pytest

from firmware_bridges.metrics import miner_metrics
from firmware_bridges.readings import BoardReading, FanReading, MinerReading, PoolReading
from shared.measured import Measured, Reason, Unknown
from tests.integration.drivers.whatsminer_site import captures, persona, v3_captures, whatsminer


def boards_of(reading: MinerReading) -> tuple[BoardReading, ...]:
    assert not isinstance(reading.boards, Unknown)
    return reading.boards


def fans_of(reading: MinerReading) -> tuple[FanReading, ...]:
    assert not isinstance(reading.fans, Unknown)
    return reading.fans


def pools_of(reading: MinerReading) -> tuple[PoolReading, ...]:
    assert not isinstance(reading.pools, Unknown)
    return reading.pools


def is_unreported(value: Measured[object]) -> bool:
    return isinstance(value, Unknown) and value.reason is Reason.NOT_REPORTED


async def read_v1(shared_data: Path, folder: Path) -> MinerReading:
    replay = captures(shared_data, "v1")
    async with whatsminer(folder, persona("v1", replay=replay)) as site:
        return await site.miner.read()


async def test_the_v1_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v1(shared_data, tmp_path)
    assert reading.mining is True
    assert reading.hashrate_ths == pytest.approx(70.66811452)
    assert reading.average_hashrate_ths == pytest.approx(67.75325119)
    assert reading.nominal_hashrate_ths == pytest.approx(68.796)
    assert reading.power_w == 3417
    assert reading.power_limit_w == 3500
    assert reading.preset == "normal"
    assert reading.temperature_c == 92.5
    assert is_unreported(reading.inlet_temperature_c)
    assert reading.uptime_s == 10_792
    assert reading.faults == ()
    assert reading.identity.firmware == "20210322.22.REL"
    assert reading.identity.mac == "C4:08:28:00:A4:19"
    assert is_unreported(reading.identity.serial)
    assert [fan.speed_rpm for fan in fans_of(reading)] == [6450, 6480]


async def test_the_v1_captures_tell_each_board(shared_data: Path, tmp_path: Path) -> None:
    boards = boards_of(await read_v1(shared_data, tmp_path))
    assert [board.index for board in boards] == [0, 1, 2]
    hashrates = [20.05343874, 25.56731781, 24.35129228]
    assert [board.hashrate_ths for board in boards] == [pytest.approx(value) for value in hashrates]
    assert [board.temperature_c for board in boards] == [70.0, 69.5, 71.5]
    assert [board.chip_temperature_c for board in boards] == [90.0, 90.11, 92.5]
    assert [board.chips for board in boards] == [105, 105, 105]
    assert [board.frequency_mhz for board in boards] == [650, 652, 643]
    assert [board.hardware_errors for board in boards] == [15, 47, 7]
    assert [board.active for board in boards] == [True, True, True]
    assert [board.serial for board in boards] == [
        "H5M14S69129A17K10095",
        "H5M14S69129A17K10058",
        "H5M14S69129A17K10002",
    ]
    assert all(is_unreported(board.nominal_hashrate_ths) for board in boards)
    assert all(is_unreported(board.voltage_v) for board in boards)


async def test_the_v1_captures_tell_each_pool(shared_data: Path, tmp_path: Path) -> None:
    pools = pools_of(await read_v1(shared_data, tmp_path))
    assert [pool.url for pool in pools] == [
        "stratum+tcp://btc.example.pool:3333",
        "stratum+tcp://btc2.example.pool:3333",
        "stratum+tcp://btc3.example.pool:3333",
    ]
    assert [pool.worker for pool in pools] == ["asic-rs.test"] * 3
    assert [pool.alive for pool in pools] == [True, True, True]
    assert [pool.active for pool in pools] == [True, False, False]
    assert [pool.accepted for pool in pools] == [2338, 0, 0]
    assert [pool.rejected for pool in pools] == [0, 0, 0]
    assert [pool.stale for pool in pools] == [0, 0, 0]


async def read_v2(shared_data: Path, folder: Path) -> MinerReading:
    replay = captures(shared_data, "v2")
    async with whatsminer(folder, persona("v2", replay=replay)) as site:
        return await site.miner.read()


async def test_the_v2_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v2(shared_data, tmp_path)
    assert reading.mining is True
    assert reading.hashrate_ths == pytest.approx(124.5)
    assert reading.average_hashrate_ths == pytest.approx(125.0)
    assert reading.nominal_hashrate_ths == pytest.approx(126.0)
    assert reading.power_w == 3200
    assert reading.power_limit_w == 3300  # the summary's, in force; the status has 3600 set
    assert reading.preset == "normal"
    assert reading.temperature_c == 81.0
    assert reading.inlet_temperature_c == 28.5
    assert reading.uptime_s == 25_500
    assert reading.faults == ()
    assert reading.identity.firmware == "20230803.11.REL"
    assert reading.identity.mac == "D4:01:02:03:04:05"
    assert reading.identity.hostname == "WhatsMiner"
    assert [fan.speed_rpm for fan in fans_of(reading)] == [5400, 5280]


async def test_the_v2_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v2(shared_data, tmp_path)
    boards, pools = boards_of(reading), pools_of(reading)
    hashrates = [41.5, 41.8, 41.7]
    assert [board.hashrate_ths for board in boards] == [pytest.approx(value) for value in hashrates]
    assert [board.nominal_hashrate_ths for board in boards] == [pytest.approx(42.0)] * 3
    assert [board.temperature_c for board in boards] == [65.0, 66.0, 67.0]
    assert [board.chip_temperature_c for board in boards] == [80.0, 81.0, 81.0]
    assert [board.chips for board in boards] == [135, 135, 135]
    assert [board.frequency_mhz for board in boards] == [600, 600, 600]
    assert [board.active for board in boards] == [True, True, True]
    assert [board.serial for board in boards] == [
        "BHM5CSD1302803K30001",
        "BHM5CSD1302803K30002",
        "BHM5CSD1302803K30003",
    ]
    assert all(is_unreported(board.hardware_errors) for board in boards)
    assert [pool.url for pool in pools] == [
        "stratum+tcp://btc.example.pool:3333",
        "stratum+tcp://btc2.example.pool:3333",
        "stratum+tcp://btc3.example.pool:3333",
    ]
    assert [pool.worker for pool in pools] == ["asic-rs.test"] * 3
    assert [pool.active for pool in pools] == [True, False, False]
    assert [pool.alive for pool in pools] == [True, True, True]
    assert [pool.accepted for pool in pools] == [5412, 0, 0]
    assert [pool.rejected for pool in pools] == [0, 0, 0]
    assert all(is_unreported(pool.stale) for pool in pools)


async def read_v3(shared_data: Path, folder: Path) -> MinerReading:
    replay = v3_captures(shared_data)
    async with whatsminer(folder, persona("v3", replay=replay), api="v3") as site:
        return await site.miner.read()


async def test_the_v3_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v3(shared_data, tmp_path)
    assert reading.mining is True
    assert reading.hashrate_ths == 171.259
    assert reading.average_hashrate_ths == 170.8
    assert reading.nominal_hashrate_ths == 181.051
    assert reading.power_w == 3156.0
    assert reading.power_limit_w == 3600
    assert reading.temperature_c == 82.0
    assert reading.inlet_temperature_c == 28.5
    assert reading.uptime_s == 1323
    assert is_unreported(reading.faults)
    assert isinstance(reading.preset, Unknown)  # get.miner.setting was not captured
    assert reading.preset.reason is Reason.DEVICE_ERROR
    assert reading.identity.model == "M60S_VK40"
    assert reading.identity.firmware == "20251209.16.Rel2"
    assert reading.identity.serial == "BTM3CS40HD24083100000000000000000"
    assert reading.identity.mac == "CE:02:01:00:8C:36"
    assert reading.identity.hostname == "WhatsMiner"
    assert [fan.speed_rpm for fan in fans_of(reading)] == [5400, 5280]


async def test_the_v3_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v3(shared_data, tmp_path)
    boards, pools = boards_of(reading), pools_of(reading)
    assert [board.hashrate_ths for board in boards] == [57.2, 57.0, 57.1]
    assert [board.nominal_hashrate_ths for board in boards] == [60.35, 60.35, 60.35]
    assert [board.temperature_c for board in boards] == [41.1, 40.1, 41.5]
    assert [board.chip_temperature_c for board in boards] == [80.0, 82.0, 81.0]
    assert [board.chips for board in boards] == [75, 75, 75]
    assert [board.frequency_mhz for board in boards] == [625.0, 625.0, 625.0]
    assert [board.active for board in boards] == [True, True, True]
    assert [board.serial for board in boards] == [
        "BKM3CSE1404807K42757",
        "BKM3CSE1404812K43675",
        "BKM3CSE1404807K42762",
    ]
    assert [pool.url for pool in pools] == [
        "stratum+tcp://btc.example.pool:3333",
        "stratum+tcp://btc2.example.pool:3333",
        "stratum+tcp://btc3.example.pool:3333",
    ]
    assert [pool.worker for pool in pools] == ["asic-rs.test"] * 3
    assert [pool.alive for pool in pools] == [True, True, True]
    assert [pool.active for pool in pools] == [True, False, False]
    assert all(is_unreported(pool.accepted) for pool in pools)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_version_capture_decides_which_api_is_spoken(
    shared_data: Path, tmp_path: Path, version: str
) -> None:
    """v1 takes no power limit in watts, v2.0.5 does."""
    replay = captures(shared_data, version)
    async with whatsminer(tmp_path, persona(version, replay=replay)) as site:
        capabilities = await site.miner.capabilities()
    assert (capabilities.power_limit is not None) == (version == "v2")


async def test_a_v3_capture_is_found_where_port_4028_tells_no_version(
    shared_data: Path, tmp_path: Path
) -> None:
    replay = v3_captures(shared_data)
    async with whatsminer(tmp_path, persona("v3", replay=replay)) as site:
        reading = await site.miner.read()
    assert reading.identity.firmware == "20251209.16.Rel2"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_reading_of_a_capture_becomes_metrics(
    shared_data: Path, tmp_path: Path, version: str
) -> None:
    replay = captures(shared_data, version)
    async with whatsminer(tmp_path, persona(version, replay=replay)) as site:
        reading = await site.miner.read()
    values = {metric.name: value for metric, value in miner_metrics(reading)}
    assert values["boards"] == 3
    assert values["pools"] == 3
    assert values["faults"] == ""
