"""Every Whatsminer capture, read by the driver through a real socket, against what is in it.

Not read: `get_psu.json` of v1 and v2 (the power supply's name and versions; a reading has no place
for them).
"""

from pathlib import Path

import pytest

from firmware_bridges.metrics import miner_metrics
from firmware_bridges.readings import MinerReading
from shared.measured import Reason, Unknown
from tests.integration.drivers.expected import UNREPORTED, assert_columns, assert_fields
from tests.integration.drivers.whatsminer_site import captures, persona, v3_captures, whatsminer

POOLS: dict[str, list[object]] = {
    "url": [
        "stratum+tcp://btc.example.pool:3333",
        "stratum+tcp://btc2.example.pool:3333",
        "stratum+tcp://btc3.example.pool:3333",
    ],
    "worker": ["asic-rs.test"] * 3,
    "alive": [True, True, True],
    "active": [True, False, False],
}
"""What the captures of every version have in common."""


async def read_v1(shared_data: Path, folder: Path) -> MinerReading:
    replay = captures(shared_data, "v1")
    async with whatsminer(folder, persona("v1", replay=replay)) as site:
        return await site.miner.read()


async def test_the_v1_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v1(shared_data, tmp_path)
    assert_fields(
        reading,
        mining=True,
        hashrate_ths=70.66811452,
        average_hashrate_ths=67.75325119,
        nominal_hashrate_ths=68.796,
        power_w=3417,
        power_limit_w=3500,
        preset="normal",
        temperature_c=92.5,
        inlet_temperature_c=UNREPORTED,
        uptime_s=10_792,
        faults=(),
    )
    assert_fields(
        reading.identity,
        firmware="20210322.22.REL",
        mac="C4:08:28:00:A4:19",
        serial=UNREPORTED,
    )
    assert_columns(reading.fans, speed_rpm=[6450, 6480])


async def test_the_v1_captures_tell_each_board(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v1(shared_data, tmp_path)
    assert_columns(
        reading.boards,
        index=[0, 1, 2],
        hashrate_ths=[20.05343874, 25.56731781, 24.35129228],
        temperature_c=[70.0, 69.5, 71.5],
        chip_temperature_c=[90.0, 90.11, 92.5],
        chips=[105, 105, 105],
        frequency_mhz=[650, 652, 643],
        hardware_errors=[15, 47, 7],
        active=[True, True, True],
        serial=[
            "H5M14S69129A17K10095",
            "H5M14S69129A17K10058",
            "H5M14S69129A17K10002",
        ],
        nominal_hashrate_ths=[UNREPORTED] * 3,
        voltage_v=[UNREPORTED] * 3,
    )


async def test_the_v1_captures_tell_each_pool(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v1(shared_data, tmp_path)
    assert_columns(
        reading.pools,
        **POOLS,
        accepted=[2338, 0, 0],
        rejected=[0, 0, 0],
        stale=[0, 0, 0],
    )


async def read_v2(shared_data: Path, folder: Path) -> MinerReading:
    replay = captures(shared_data, "v2")
    async with whatsminer(folder, persona("v2", replay=replay)) as site:
        return await site.miner.read()


async def test_the_v2_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v2(shared_data, tmp_path)
    assert_fields(
        reading,
        mining=True,
        hashrate_ths=124.5,
        average_hashrate_ths=125.0,
        nominal_hashrate_ths=126.0,
        power_w=3200,
        power_limit_w=3300,  # the summary's, in force; the status has 3600 set
        preset="normal",
        temperature_c=81.0,
        inlet_temperature_c=28.5,
        uptime_s=25_500,
        faults=(),
    )
    assert_fields(
        reading.identity,
        firmware="20230803.11.REL",
        mac="D4:01:02:03:04:05",
        hostname="WhatsMiner",
    )
    assert_columns(reading.fans, speed_rpm=[5400, 5280])


async def test_the_v2_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v2(shared_data, tmp_path)
    assert_columns(
        reading.boards,
        hashrate_ths=[41.5, 41.8, 41.7],
        nominal_hashrate_ths=[42.0] * 3,
        temperature_c=[65.0, 66.0, 67.0],
        chip_temperature_c=[80.0, 81.0, 81.0],
        chips=[135, 135, 135],
        frequency_mhz=[600, 600, 600],
        active=[True, True, True],
        serial=[
            "BHM5CSD1302803K30001",
            "BHM5CSD1302803K30002",
            "BHM5CSD1302803K30003",
        ],
        hardware_errors=[UNREPORTED] * 3,
    )
    assert_columns(
        reading.pools,
        **POOLS,
        accepted=[5412, 0, 0],
        rejected=[0, 0, 0],
        stale=[UNREPORTED] * 3,
    )


async def read_v3(shared_data: Path, folder: Path) -> MinerReading:
    replay = v3_captures(shared_data)
    async with whatsminer(folder, persona("v3", replay=replay), api="v3") as site:
        return await site.miner.read()


async def test_the_v3_captures_tell_the_miner_as_a_whole(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v3(shared_data, tmp_path)
    assert_fields(
        reading,
        mining=True,
        hashrate_ths=171.259,
        average_hashrate_ths=170.8,
        nominal_hashrate_ths=181.051,
        power_w=3156.0,
        power_limit_w=3600,
        temperature_c=82.0,
        inlet_temperature_c=28.5,
        uptime_s=1323,
        faults=UNREPORTED,
    )
    assert isinstance(reading.preset, Unknown)  # get.miner.setting was not captured
    assert reading.preset.reason is Reason.DEVICE_ERROR
    assert_fields(
        reading.identity,
        model="M60S_VK40",
        firmware="20251209.16.Rel2",
        serial="BTM3CS40HD24083100000000000000000",
        mac="CE:02:01:00:8C:36",
        hostname="WhatsMiner",
    )
    assert_columns(reading.fans, speed_rpm=[5400, 5280])


async def test_the_v3_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_v3(shared_data, tmp_path)
    assert_columns(
        reading.boards,
        hashrate_ths=[57.2, 57.0, 57.1],
        nominal_hashrate_ths=[60.35, 60.35, 60.35],
        temperature_c=[41.1, 40.1, 41.5],
        chip_temperature_c=[80.0, 82.0, 81.0],
        chips=[75, 75, 75],
        frequency_mhz=[625.0, 625.0, 625.0],
        active=[True, True, True],
        serial=[
            "BKM3CSE1404807K42757",
            "BKM3CSE1404812K43675",
            "BKM3CSE1404807K42762",
        ],
    )
    assert_columns(
        reading.pools,
        **POOLS,
        accepted=[UNREPORTED] * 3,
    )


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
    assert_fields(reading.identity, firmware="20251209.16.Rel2")


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
