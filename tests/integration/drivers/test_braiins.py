"""Every Braiins OS capture, read by the driver over real HTTP, against what is in it.

Not read: of 25.07 `network.json` and `configuration_miner.json` (MAC, host name and power target
stand in `miner_details.json` and `performance_tuner_state.json` as well) and `actions_locate.json`
(the LED); of 21.09 `version.json` (the version of the API on port 4028, which the driver leaves
alone). `version.json` of 25.07 decides which API is spoken.
"""

from pathlib import Path

import pytest

from firmware_bridges.metrics import miner_metrics
from firmware_bridges.readings import BoardReading, FanReading, MinerReading, PoolReading
from shared.measured import Measured, Reason, Unknown
from tests.integration.drivers.braiins_site import (
    braiins,
    graphql_captures,
    persona,
    rest_captures,
)


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


async def read_rest(shared_data: Path, folder: Path) -> MinerReading:
    async with braiins(folder, persona("rest", replay=rest_captures(shared_data))) as site:
        return await site.miner.read()


async def read_graphql(shared_data: Path, folder: Path) -> MinerReading:
    async with braiins(folder, persona("graphql", replay=graphql_captures(shared_data))) as site:
        return await site.miner.read()


async def test_the_25_07_captures_tell_the_miner_as_a_whole(
    shared_data: Path, tmp_path: Path
) -> None:
    reading = await read_rest(shared_data, tmp_path)
    assert reading.mining is True
    assert reading.hashrate_ths == pytest.approx(141.46356540072063)
    assert reading.average_hashrate_ths == pytest.approx(138.20705294534727)
    assert reading.nominal_hashrate_ths == pytest.approx(142.876598290866)
    assert reading.power_w == 3137
    assert reading.power_limit_w == 3031
    assert reading.preset == "power_target"
    assert reading.temperature_c == 70.5
    assert reading.uptime_s == 69_725
    assert reading.identity.model == "Antminer S19 XP"
    assert reading.identity.firmware == "2025-08-06-0-3881c51d-25.07-plus"
    assert reading.identity.mac == "02:ee:da:a9:b6:4a"
    assert reading.identity.hostname == "Antminer"
    assert is_unreported(reading.identity.serial)  # null in the capture
    assert [fan.speed_rpm for fan in fans_of(reading)] == [5904, 5874, 5874, 5904]


async def test_the_25_07_captures_tell_each_board(shared_data: Path, tmp_path: Path) -> None:
    boards = boards_of(await read_rest(shared_data, tmp_path))
    assert [board.index for board in boards] == [0, 1, 2]
    hashrates = [50.13772942148807, 47.859278339866236, 50.362690141466795]
    nominal = [47.980850153652005, 45.572479616802004, 49.323268520412006]
    assert [board.hashrate_ths for board in boards] == [pytest.approx(value) for value in hashrates]
    assert [board.nominal_hashrate_ths for board in boards] == [
        pytest.approx(value) for value in nominal
    ]
    assert [board.temperature_c for board in boards] == [55.5, 52.0, 54.0]
    assert [board.chip_temperature_c for board in boards] == [70.5, 67.0, 69.0]
    assert [board.inlet_temperature_c for board in boards] == [41.0, 40.0, 41.5]
    assert [board.outlet_temperature_c for board in boards] == [55.5, 52.0, 54.0]
    assert [board.chips for board in boards] == [110, 110, 110]
    frequencies = [486.704545, 461.931818, 500.0]
    assert [board.frequency_mhz for board in boards] == [
        pytest.approx(value) for value in frequencies
    ]
    assert [board.voltage_v for board in boards] == [12.93826530612245] * 3
    assert [board.active for board in boards] == [True, True, True]
    assert [board.serial for board in boards] == [
        "NGSBYPDBCJBAG8562",
        "NGSBYPDBCJBAG8567",
        "NGSBYPDBCJBBA0309",
    ]


async def test_the_25_07_captures_tell_each_pool(shared_data: Path, tmp_path: Path) -> None:
    pools = pools_of(await read_rest(shared_data, tmp_path))
    assert [pool.url for pool in pools] == [
        "stratum+tcp://example.pool.com:3333",
        "stratum+tcp://example.pool2.com:3333",
    ]
    assert [pool.worker for pool in pools] == ["asic_rs.test", "asic_rs.test"]
    assert [pool.alive for pool in pools] == [True, True]
    assert [pool.active for pool in pools] == [True, False]
    assert [pool.accepted for pool in pools] == [10_460, 4]
    assert [pool.rejected for pool in pools] == [18, 0]
    assert [pool.stale for pool in pools] == [0, 0]


async def test_the_25_07_captures_tell_the_errors_with_their_time(
    shared_data: Path, tmp_path: Path
) -> None:
    reading = await read_rest(shared_data, tmp_path)
    assert not isinstance(reading.faults, Unknown)
    bos = 'Failed to resolve ("a830bcc3.bos.braiins.com", 3336)'
    ocean = 'Failed to resolve ("mine.ocean.xyz", 3334)'
    assert [fault.text for fault in reading.faults] == [
        bos, bos, ocean, ocean, bos, ocean, bos, bos,
    ]  # fmt: skip
    assert [fault.time_ms for fault in reading.faults] == [
        1_774_158_223_268,
        1_774_158_254_317,
        1_774_599_158_813,
        1_420_070_437_638,  # before the miner had the time
        1_420_070_447_652,
        1_420_070_470_020,
        1_420_070_470_019,
        1_775_635_398_155,
    ]
    assert {fault.code for fault in reading.faults} == {"uncoded"}
    values = {metric.name: value for metric, value in miner_metrics(reading)}
    assert values["faults"] != ""  # an empty text would say that there are none


async def test_the_21_09_captures_tell_the_miner_as_a_whole(
    shared_data: Path, tmp_path: Path
) -> None:
    reading = await read_graphql(shared_data, tmp_path)
    assert reading.mining is True
    assert reading.hashrate_ths == pytest.approx(7.160208944955902)
    assert reading.nominal_hashrate_ths == pytest.approx(7.24240252323)
    assert is_unreported(reading.average_hashrate_ths)
    assert reading.power_w == 735
    assert reading.power_limit_w == 900
    assert reading.preset == "power_target"
    assert reading.temperature_c == 89.25
    assert reading.uptime_s == 1189
    assert reading.identity.firmware == "2022-09-13-0-11012d53-22.08-plus"
    assert reading.identity.hostname == "miner-60726c"
    assert reading.identity.mac == "01:23:45:67:89:10"
    assert is_unreported(reading.faults)
    assert [fan.speed_rpm for fan in fans_of(reading)] == [4080, 5580, 0, 0]


async def test_the_21_09_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_graphql(shared_data, tmp_path)
    boards, pools = boards_of(reading), pools_of(reading)
    hashrates = [2.9669503918025643, 3.022858545443969, 2.9468691247815643]
    assert [board.hashrate_ths for board in boards] == [pytest.approx(value) for value in hashrates]
    assert [board.nominal_hashrate_ths for board in boards] == [
        pytest.approx(3.0176677198079997)
    ] * 3
    assert [board.temperature_c for board in boards] == [71, 75.375, 66.125]
    assert [board.chip_temperature_c for board in boards] == [81.625, 89.25, 80]
    assert [board.chips for board in boards] == [63, 63, 63]
    assert [board.frequency_mhz for board in boards] == [420.170944] * 3
    assert [board.voltage_v for board in boards] == [9.097456932067873] * 3
    assert [pool.url for pool in pools] == [
        "stratum+tcp://btc1.example.pool:3333",
        "stratum+tcp://btc2.example.pool:3333",
    ]
    assert [pool.worker for pool in pools] == ["asic-rs.test", "asic-rs.test"]
    assert [pool.alive for pool in pools] == [True, True]
    assert [pool.active for pool in pools] == [True, True]
    assert [pool.accepted for pool in pools] == [31, 18]
    assert [pool.rejected for pool in pools] == [0, 0]


async def test_one_capture_that_is_missing_leaves_its_fields_unknown_with_the_reason(
    shared_data: Path, tmp_path: Path
) -> None:
    replay = rest_captures(shared_data)
    del replay["pools"]
    async with braiins(tmp_path, persona("rest", replay=replay)) as site:
        reading = await site.miner.read()
    assert isinstance(reading.pools, Unknown)
    assert reading.pools.reason is Reason.DEVICE_ERROR
    assert reading.power_w == 3137
