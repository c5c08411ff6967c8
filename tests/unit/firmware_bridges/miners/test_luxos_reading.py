"""Captured replies of a LuxOS miner, read field by field against what stands in the files.

Every capture is read. `profiles.json` becomes capabilities, not a reading; `events.json` was
captured from another, newer miner than the rest.
"""

from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.capabilities import OperatingPoint
from firmware_bridges.errors import DeviceRefusedError
from firmware_bridges.miners.cgminer import reply_source
from firmware_bridges.miners.luxos.reading import (
    Replies,
    atm_enabled,
    curtailed,
    luxos_reading,
    operating_points,
)
from firmware_bridges.readings import (
    NOT_REPORTED,
    BoardReading,
    FanReading,
    Fault,
    Identity,
    PoolReading,
)
from shared.measured import Reason, Unknown


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-12)


@pytest.fixture
def replies(shared_data: Path) -> dict[str, Any]:
    folder = shared_data / "miners" / "luxminer" / "v1"
    return {file.stem: reply_source(file.read_bytes(), file.stem) for file in folder.glob("*.json")}


def test_identity_is_what_the_miner_says_of_itself(replies: Replies) -> None:
    assert luxos_reading(replies).identity == Identity(
        model="Antminer S19k Pro",
        firmware="2025.4.8.220305-57b389c7",
        serial="JYZZB0UBDJABF06RB",
        mac="62:f7:5e:b7:10:46",
        hostname="UrlacherS19k",
    )


def test_rates_power_profile_and_uptime(replies: Replies) -> None:
    reading = luxos_reading(replies)
    assert reading.hashrate_ths == near(59.75606)
    assert reading.average_hashrate_ths == near(56.91791)
    assert reading.nominal_hashrate_ths == near(3 * 20.6514)
    assert reading.power_w == 1051.0
    assert reading.preset == "290MHz"
    assert reading.uptime_s == 3_453
    assert reading.mining is True
    assert reading.temperature_c == 47.0


def test_boards_joined_by_their_id_from_six_replies(replies: Replies) -> None:
    def board(index: int, mhs: float, intake_c: float, serial: str) -> BoardReading:
        return BoardReading(
            index=index,
            hashrate_ths=near(mhs / 1e6),
            nominal_hashrate_ths=near(20.6514),
            temperature_c=47.0,
            inlet_temperature_c=intake_c,
            outlet_temperature_c=47.0,
            chips=77,
            chips_expected=77,
            frequency_mhz=300.0,
            voltage_v=11.88,
            hardware_errors=0,
            active=True,
            serial=serial,
        )

    # devs.json lists the boards in the order 2, 0, 1
    assert luxos_reading(replies).boards == (
        board(0, 19773825.71692016, 34.0, "JYZZYRSBDJEBI06Z5"),
        board(1, 19230588.7466751, 33.0, "JYZZYRSBDJEBI06ZM"),
        board(2, 20751652.263361264, 34.0, "JYZZYRSBDJEBI06ZR"),
    )


def test_fans(replies: Replies) -> None:
    speeds = (1_920, 1_920, 2_340, 2_340)
    assert luxos_reading(replies).fans == tuple(
        FanReading(index, speed) for index, speed in enumerate(speeds)
    )


def test_pools(replies: Replies) -> None:
    def pool(index: int, host: str, user: str, accepted: int, rejected: int) -> PoolReading:
        return PoolReading(
            index=index,
            url=f"stratum+tcp://{host}:3333",
            worker=f"asic-rs.{user}",
            alive=accepted > 0,
            active=accepted > 0,
            accepted=accepted,
            rejected=rejected,
            stale=0,
        )

    assert luxos_reading(replies).pools == (
        pool(0, "ca.stratum.braiins.com", "user1", 724, 0),
        pool(1, "stratum.braiins.com", "user1", 0, 0),
        pool(2, "ca.stratum.braiins.com", "user2", 759, 1),
        pool(3, "stratum.braiins.com", "user2", 0, 0),
    )


def test_events_are_faults_with_their_time(replies: Replies) -> None:
    assert luxos_reading(replies).faults == (
        Fault("NOPIC_PROTECTION", "Miner shutdown due to NOPIC protection.", 1_775_619_507_000),
        Fault(
            "REBOOT_NOT_HASHING",
            "BOARD 0: Board reboot due to it not hashing.",
            1_775_619_507_000,
        ),
    )


def test_profiles_are_operating_points(replies: Replies) -> None:
    points = operating_points(replies["profiles"])
    assert not isinstance(points, Unknown)
    assert len(points) == 25
    assert points[0] == OperatingPoint("190MHz", 784.0, 39.2)
    assert points[16] == OperatingPoint("default", 2794.0, 121.8)
    assert points[24] == OperatingPoint("790MHz", 4195.0, 163.1)


def test_names_that_the_api_would_misread_are_no_operating_points(
    replies: dict[str, Any],
) -> None:
    profiles = replies["profiles"]["PROFILES"]
    profiles[0]["Profile Name"] = "a,b"
    profiles[1]["Profile Name"] = "2"
    profiles[2]["Profile Name"] = None
    points = operating_points(replies["profiles"])
    assert not isinstance(points, Unknown)
    assert len(points) == 22


def test_atm_is_on_and_the_miner_awake(replies: Replies) -> None:
    assert atm_enabled(replies["config"]) is True
    assert curtailed(replies["config"]) is False


def test_what_the_captures_do_not_hold_is_not_reported(replies: Replies) -> None:
    reading = luxos_reading(replies)
    assert reading.power_limit_w == NOT_REPORTED
    boards = reading.boards
    assert not isinstance(boards, Unknown)
    assert boards[0].chip_temperature_c == NOT_REPORTED
    assert boards[0].power_w == NOT_REPORTED


def test_details_that_were_not_asked_for_are_not_reported(replies: dict[str, Any]) -> None:
    for name in [name for name in replies if name.startswith(("voltageget", "healthchipget"))]:
        del replies[name]
    boards = luxos_reading(replies).boards
    assert not isinstance(boards, Unknown)
    assert boards[0].voltage_v == NOT_REPORTED
    assert boards[0].chips_expected == NOT_REPORTED
    assert boards[0].chips == 77


def test_a_power_target_is_the_power_limit(replies: dict[str, Any]) -> None:
    replies["atm"] = {"ATM": [{"Enabled": False, "PowerTarget": 3320}]}
    assert luxos_reading(replies).power_limit_w == 3320.0


@pytest.mark.parametrize(
    ("mode", "mining"), [("None", True), ("Sleep", False), ("Idle", False), ("WakeUp", True)]
)
def test_the_curtail_mode_says_whether_it_is_told_to_mine(
    replies: dict[str, Any], mode: str, mining: bool
) -> None:
    replies["config"]["CONFIG"][0]["CurtailMode"] = mode
    assert luxos_reading(replies).mining is mining


def test_without_a_readable_curtail_mode_the_hashrate_decides(replies: dict[str, Any]) -> None:
    replies["config"]["CONFIG"][0]["CurtailMode"] = "Siesta"
    assert luxos_reading(replies).mining is True
    replies["summary"]["SUMMARY"][0]["GHS 5s"] = None
    assert isinstance(luxos_reading(replies).mining, Unknown)


def test_a_refused_command_leaves_the_others_fields(replies: dict[str, Any]) -> None:
    replies["events"] = DeviceRefusedError("events: Invalid command", 14)
    reading = luxos_reading(replies)
    assert isinstance(reading.faults, Unknown)
    assert reading.faults.reason is Reason.DEVICE_ERROR
    assert reading.power_w == 1051.0


def test_sleeping_is_no_fault(replies: dict[str, Any]) -> None:
    replies["events"]["EVENTS"][0]["Code"] = "SLEEP"
    faults = luxos_reading(replies).faults
    assert not isinstance(faults, Unknown)
    assert [fault.code for fault in faults] == ["REBOOT_NOT_HASHING"]


def test_two_boards_with_one_id_are_no_boards(replies: dict[str, Any]) -> None:
    replies["devs"]["DEVS"][0]["ID"] = 1
    reading = luxos_reading(replies)
    assert isinstance(reading.boards, Unknown)
    assert isinstance(reading.nominal_hashrate_ths, Unknown)
    assert isinstance(reading.temperature_c, Unknown)


def test_a_sensor_at_zero_is_absent_and_one_that_is_junk_spoils_its_board(
    replies: dict[str, Any],
) -> None:
    replies["temps"]["TEMPS"][0]["TopLeft"] = 0
    replies["temps"]["TEMPS"][1]["TopRight"] = "hot"
    boards = luxos_reading(replies).boards
    assert not isinstance(boards, Unknown)
    assert boards[0].outlet_temperature_c == 47.0
    assert isinstance(boards[1].inlet_temperature_c, Unknown)
    assert boards[1].temperature_c == 47.0  # devs.json has its own


def test_without_labels_no_sensor_is_guessed_to_be_an_intake(replies: dict[str, Any]) -> None:
    del replies["temps"]["METADATA"]
    boards = luxos_reading(replies).boards
    assert not isinstance(boards, Unknown)
    assert boards[0].inlet_temperature_c == NOT_REPORTED
    assert boards[0].temperature_c == 47.0
