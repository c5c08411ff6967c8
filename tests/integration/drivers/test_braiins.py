"""Every Braiins OS capture, read by the driver over real HTTP, against what is in it.

Not read: of 25.07 `network.json` and `configuration_miner.json` (MAC, host name and power target
stand in `miner_details.json` and `performance_tuner_state.json` as well) and `actions_locate.json`
(the LED); of 21.09 `version.json` (the version of the API on port 4028, which the driver leaves
alone). `version.json` of 25.07 decides which API is spoken.
"""

from pathlib import Path

from firmware_bridges.metrics import miner_metrics
from firmware_bridges.readings import MinerReading
from shared.measured import Reason, Unknown
from tests.integration.drivers.braiins_site import (
    braiins,
    graphql_captures,
    persona,
    rest_captures,
)
from tests.integration.drivers.expected import UNREPORTED, assert_columns, assert_fields


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
    assert_fields(
        reading,
        mining=True,
        hashrate_ths=141.46356540072063,
        average_hashrate_ths=138.20705294534727,
        nominal_hashrate_ths=142.876598290866,
        power_w=3137,
        power_limit_w=3031,
        preset="power_target",
        temperature_c=70.5,
        uptime_s=69_725,
    )
    assert_fields(
        reading.identity,
        model="Antminer S19 XP",
        firmware="2025-08-06-0-3881c51d-25.07-plus",
        mac="02:ee:da:a9:b6:4a",
        hostname="Antminer",
        serial=UNREPORTED,  # null in the capture
    )
    assert_columns(reading.fans, speed_rpm=[5904, 5874, 5874, 5904])


async def test_the_25_07_captures_tell_each_board(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_rest(shared_data, tmp_path)
    assert_columns(
        reading.boards,
        index=[0, 1, 2],
        hashrate_ths=[50.13772942148807, 47.859278339866236, 50.362690141466795],
        nominal_hashrate_ths=[47.980850153652005, 45.572479616802004, 49.323268520412006],
        temperature_c=[55.5, 52.0, 54.0],
        chip_temperature_c=[70.5, 67.0, 69.0],
        inlet_temperature_c=[41.0, 40.0, 41.5],
        outlet_temperature_c=[55.5, 52.0, 54.0],
        chips=[110, 110, 110],
        frequency_mhz=[486.704545, 461.931818, 500.0],
        voltage_v=[12.93826530612245] * 3,
        active=[True, True, True],
        serial=[
            "NGSBYPDBCJBAG8562",
            "NGSBYPDBCJBAG8567",
            "NGSBYPDBCJBBA0309",
        ],
    )


async def test_the_25_07_captures_tell_each_pool(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_rest(shared_data, tmp_path)
    assert_columns(
        reading.pools,
        url=[
            "stratum+tcp://example.pool.com:3333",
            "stratum+tcp://example.pool2.com:3333",
        ],
        worker=["asic_rs.test", "asic_rs.test"],
        alive=[True, True],
        active=[True, False],
        accepted=[10_460, 4],
        rejected=[18, 0],
        stale=[0, 0],
    )


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
    assert_fields(
        reading,
        mining=True,
        hashrate_ths=7.160208944955902,
        nominal_hashrate_ths=7.24240252323,
        average_hashrate_ths=UNREPORTED,
        power_w=735,
        power_limit_w=900,
        preset="power_target",
        temperature_c=89.25,
        uptime_s=1189,
    )
    assert_fields(
        reading.identity,
        firmware="2022-09-13-0-11012d53-22.08-plus",
        hostname="miner-60726c",
        mac="01:23:45:67:89:10",
    )
    assert_fields(reading, faults=UNREPORTED)
    assert_columns(reading.fans, speed_rpm=[4080, 5580, 0, 0])


async def test_the_21_09_captures_tell_boards_and_pools(shared_data: Path, tmp_path: Path) -> None:
    reading = await read_graphql(shared_data, tmp_path)
    assert_columns(
        reading.boards,
        hashrate_ths=[2.9669503918025643, 3.022858545443969, 2.9468691247815643],
        nominal_hashrate_ths=[3.0176677198079997] * 3,
        temperature_c=[71, 75.375, 66.125],
        chip_temperature_c=[81.625, 89.25, 80],
        chips=[63, 63, 63],
        frequency_mhz=[420.170944] * 3,
        voltage_v=[9.097456932067873] * 3,
    )
    assert_columns(
        reading.pools,
        url=[
            "stratum+tcp://btc1.example.pool:3333",
            "stratum+tcp://btc2.example.pool:3333",
        ],
        worker=["asic-rs.test", "asic-rs.test"],
        alive=[True, True],
        active=[True, True],
        accepted=[31, 18],
        rejected=[0, 0],
    )


async def test_one_capture_that_is_missing_leaves_its_fields_unknown_with_the_reason(
    shared_data: Path, tmp_path: Path
) -> None:
    replay = rest_captures(shared_data)
    del replay["pools"]
    async with braiins(tmp_path, persona("rest", replay=replay)) as site:
        reading = await site.miner.read()
    assert isinstance(reading.pools, Unknown)
    assert reading.pools.reason is Reason.DEVICE_ERROR
    assert_fields(reading, power_w=3137)
