"""Captured replies of Antminers, read field by field against what stands in the files.

`system_info.json` was captured from an S21, the others from an S19 Pro. Of the capture files
`devs.json` carries nothing that is read: stock firmware leaves its rates and temperature at zero
("MHS 5s": 0.0 beside 110 TH/s in `summary.json`). No capture holds power, and none is invented.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.miners.antminer.reading import Replies, antminer_reading
from firmware_bridges.miners.cgminer import parse_reply, reply_source
from firmware_bridges.readings import (
    NOT_REPORTED,
    BoardReading,
    FanReading,
    Fault,
    Identity,
    PoolReading,
)
from shared.measured import Reason, Unknown

API = ("stats", "summary", "pools", "version")


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-12)


@pytest.fixture
def captures(shared_data: Path) -> dict[str, bytes]:
    folder = shared_data / "miners" / "antminer" / "v2020"
    return {file.stem: file.read_bytes() for file in folder.glob("*.json")}


@pytest.fixture
def replies(captures: dict[str, bytes]) -> dict[str, Any]:
    return {
        **{name: reply_source(captures[name], name) for name in API},
        "get_system_info": parse_reply(captures["system_info"]),
    }


def stats_of(replies: Replies) -> dict[str, Any]:
    stats: Any = replies["stats"]
    element: dict[str, Any] = stats["STATS"][1]
    return element


def test_identity_is_what_the_miner_says_of_itself(replies: Replies) -> None:
    assert antminer_reading(replies).identity == Identity(
        model="Antminer S21",
        firmware="FR-1.12(251009-S21)",
        serial="THQING0BDJAB024NF",
        mac="02:55:97:22:3M:72",
        hostname="Antminer",
    )


def test_without_the_web_server_the_api_says_model_and_firmware(replies: dict[str, Any]) -> None:
    del replies["get_system_info"]
    identity = antminer_reading(replies).identity
    assert (identity.model, identity.firmware) == ("Antminer S19 Pro", "49.0.1.3")
    assert identity.serial == NOT_REPORTED


def test_rates_and_uptime(replies: Replies) -> None:
    reading = antminer_reading(replies)
    assert reading.hashrate_ths == near(110.56689)
    assert reading.average_hashrate_ths == near(111.83463)
    assert reading.nominal_hashrate_ths == near(110.0)
    assert reading.uptime_s == 50_474
    assert reading.mining is True


def test_boards_with_chips_temperatures_and_hardware_errors(replies: Replies) -> None:
    def board(index: int, ths: float, pcb_c: float, chip_c: float, errors: int) -> BoardReading:
        return BoardReading(
            index=index,
            hashrate_ths=near(ths),
            temperature_c=pcb_c,
            chip_temperature_c=chip_c,
            chips=114,
            frequency_mhz=525.0,
            hardware_errors=errors,
            active=True,
        )

    # chain 4 is an empty slot: no chips, no rate, no chip map
    assert antminer_reading(replies).boards == (
        board(0, 37.60330, 73.0, 78.0, 183),
        board(1, 35.53622, 66.0, 71.0, 195),
        board(2, 37.42738, 64.0, 69.0, 184),
    )
    assert antminer_reading(replies).temperature_c == 78.0


def test_fans(replies: Replies) -> None:
    speeds = (6_000, 5_880, 5_040, 5_040)
    assert antminer_reading(replies).fans == tuple(
        FanReading(index, speed) for index, speed in enumerate(speeds)
    )


def test_pools(replies: Replies) -> None:
    def pool(index: int, *, active: bool, shares: tuple[int, int, int]) -> PoolReading:
        return PoolReading(
            index=index,
            url="stratum+tcp://btc.global.luxor.tech:700",
            worker="satokierepair.H04YK",
            alive=True,
            active=active,
            accepted=shares[0],
            rejected=shares[1],
            stale=shares[2],
        )

    assert antminer_reading(replies).pools == (
        pool(0, active=True, shares=(4_057, 11, 1)),
        pool(1, active=False, shares=(0, 0, 0)),
        pool(2, active=False, shares=(0, 0, 0)),
    )


def test_what_the_captures_do_not_hold_is_not_reported(replies: Replies) -> None:
    reading = antminer_reading(replies)
    assert reading.power_w == NOT_REPORTED
    assert reading.power_limit_w == NOT_REPORTED
    assert reading.preset == NOT_REPORTED
    assert reading.faults == NOT_REPORTED


def test_summary_stands_in_where_stats_has_no_rate(replies: dict[str, Any]) -> None:
    del stats_of(replies)["GHS 5s"]
    stats_of(replies)["GHS av"] = float("nan")
    reading = antminer_reading(replies)
    assert reading.hashrate_ths == near(110.56689)
    assert reading.average_hashrate_ths == near(111.83485)


def test_a_command_that_failed_leaves_the_others_fields(replies: dict[str, Any]) -> None:
    replies["stats"] = DeviceTimeoutError("stats: no reply within 5 s")
    reading = antminer_reading(replies)
    assert isinstance(reading.boards, Unknown)
    assert reading.boards.reason is Reason.TIMEOUT
    assert isinstance(reading.fans, Unknown)
    assert not isinstance(reading.pools, Unknown)
    assert reading.hashrate_ths == near(110.56689)


@pytest.mark.parametrize(
    ("mode", "mining", "preset"),
    [("0", True, "normal"), ("1", False, "sleep"), (2, True, "high"), ("3", True, "low_power")],
)
def test_the_work_mode_says_whether_it_is_told_to_mine(
    replies: dict[str, Any], mode: object, mining: bool, preset: str
) -> None:
    replies["get_miner_conf"] = {"bitmain-work-mode": mode}
    reading = antminer_reading(replies)
    assert (reading.mining, reading.preset) == (mining, preset)


def test_a_work_mode_beyond_the_known_ones_is_unknown(replies: dict[str, Any]) -> None:
    replies["get_miner_conf"] = {"miner-mode": 9}
    reading = antminer_reading(replies)
    assert isinstance(reading.preset, Unknown)
    assert reading.preset.reason is Reason.OUT_OF_RANGE
    assert reading.mining is True  # it hashes


def test_checks_that_are_not_good_are_faults(replies: dict[str, Any]) -> None:
    checks = [
        {"type": "rate", "status": "s", "code": 0, "msg": ""},
        {"type": "fans", "status": "e", "code": 3, "msg": "fan lost"},
    ]
    replies["web_summary"] = {"SUMMARY": [{"status": checks}]}
    assert antminer_reading(replies).faults == (Fault("fans:3", "fan lost"),)
    replies["web_summary"] = {"SUMMARY": [{"status": checks[:1]}]}
    assert antminer_reading(replies).faults == ()
    replies["web_summary"] = {"SUMMARY": [{"status": [{"type": "rate"}]}]}
    assert isinstance(antminer_reading(replies).faults, Unknown)


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ("73-45-64-65", 73.0),
        ("0-45-0-0", 45.0),
        ("-5--7-0-0", -5.0),
        ("61", 61.0),
        ("61.5-60", 61.5),
        ("0-0-0-0", Reason.NOT_REPORTED),
        ("", Reason.NOT_REPORTED),
        ("78-x-69-70", Reason.MALFORMED),
        ("m-m-m-m", Reason.MALFORMED),
        ("999-1-1-1", Reason.OUT_OF_RANGE),
        (78, Reason.MALFORMED),
    ],
)
def test_sensors_joined_in_a_text(
    replies: dict[str, Any], sensors: object, expected: object
) -> None:
    stats_of(replies)["temp_chip1"] = sensors
    boards = antminer_reading(replies).boards
    assert not isinstance(boards, Unknown)
    chip_c = boards[0].chip_temperature_c
    assert (chip_c.reason if isinstance(chip_c, Unknown) else chip_c) == expected


def test_one_unreadable_board_makes_the_hottest_chip_unknown(replies: dict[str, Any]) -> None:
    stats_of(replies)["temp_chip2"] = "x"
    assert isinstance(antminer_reading(replies).temperature_c, Unknown)


def test_a_board_with_unreadable_chips_is_still_a_board(replies: dict[str, Any]) -> None:
    stats_of(replies)["chain_acn1"] = "?"
    boards = antminer_reading(replies).boards
    assert not isinstance(boards, Unknown)
    assert len(boards) == 3
    assert isinstance(boards[0].chips, Unknown)


def test_stats_without_any_chain_or_fan_report_none_of_them(replies: dict[str, Any]) -> None:
    stats = stats_of(replies)
    for key in [key for key in stats if key.startswith(("chain_", "fan"))]:
        del stats[key]
    reading = antminer_reading(replies)
    assert isinstance(reading.boards, Unknown)
    assert isinstance(reading.fans, Unknown)


def test_a_rate_in_an_unknown_unit_is_unknown(replies: dict[str, Any]) -> None:
    stats_of(replies)["rate_unit"] = "kSol"
    reading = antminer_reading(replies)
    assert isinstance(reading.nominal_hashrate_ths, Unknown)
    assert reading.hashrate_ths == near(110.56689)  # "GHS 5s" names its unit itself


@pytest.mark.parametrize(("sent", "power_w"), [("3250 W", 3250.0), (3250, 3250.0), ("3250W", 3250)])
def test_power_is_read_where_a_model_reports_it(
    replies: dict[str, Any], sent: object, power_w: float
) -> None:
    stats_of(replies)["chain_power"] = sent
    assert antminer_reading(replies).power_w == power_w


def test_an_unused_pool_slot_is_no_pool(replies: dict[str, Any]) -> None:
    replies["pools"]["POOLS"][2]["URL"] = ""
    pools = antminer_reading(replies).pools
    assert not isinstance(pools, Unknown)
    assert [pool.index for pool in pools] == [0, 1]


def test_a_missing_comma_and_a_nan_cost_only_the_value_that_is_none(
    captures: dict[str, bytes], replies: dict[str, Any]
) -> None:
    joined = re.sub(rb"\},\s*\{", b"}{", captures["stats"])
    joined = joined.replace(b'"GHS 5s": 110566.89', b'"GHS 5s": nan')
    assert joined.count(b"}{") == 1
    replies["stats"] = reply_source(joined + b"\0", "stats")
    del replies["summary"]
    reading = antminer_reading(replies)
    assert isinstance(reading.hashrate_ths, Unknown)
    assert reading.hashrate_ths.reason is Reason.MALFORMED
    assert reading.average_hashrate_ths == near(111.83463)
    assert reading.uptime_s == 50_474


def test_a_vnish_miner_asked_as_an_antminer_is_read_as_far_as_it_agrees(shared_data: Path) -> None:
    folder = shared_data / "miners" / "vnish" / "rpc"
    names = ("stats", "summary", "pools", "version")
    reading = antminer_reading(
        {name: reply_source((folder / f"{name}.json").read_bytes(), name) for name in names}
    )
    assert reading.hashrate_ths == near(173.87094)  # sent as a text
    assert reading.nominal_hashrate_ths == near(196.51717)
    assert not isinstance(reading.boards, Unknown)
    assert [board.chips for board in reading.boards] == [65, 65, 65]
    assert [board.chip_temperature_c for board in reading.boards] == [65.0, 64.0, 64.0]
    assert [board.hardware_errors for board in reading.boards] == [29, 20, 8]
    assert reading.power_w == NOT_REPORTED
