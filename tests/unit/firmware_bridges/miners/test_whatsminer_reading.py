"""What Whatsminer replies may hold beside what the captures show."""

import json
from typing import Any

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.miners.replies import Raw
from firmware_bridges.miners.whatsminer import v2_reading, v3_reading
from firmware_bridges.miners.whatsminer.driver import judged
from firmware_bridges.miners.whatsminer.faults import fault_list
from firmware_bridges.miners.whatsminer.settings import Api, WhatsminerSettings
from firmware_bridges.readings import Fault, Identity, MinerReading
from shared.measured import Reason, Unknown


def listed(name: str, *rows: dict[str, Any]) -> bytes:
    return json.dumps({"STATUS": [{"STATUS": "S", "Code": 11}], name: list(rows)}).encode()


def flat(message: object, status: str = "S", code: int = 131) -> bytes:
    return json.dumps({"STATUS": status, "Code": code, "Msg": message}).encode()


def read(replies: dict[str, Raw]) -> MinerReading:
    return v2_reading.parse_reading(v2_reading.open_all(replies), Identity())


def reason_of(value: object) -> Reason | None:
    return value.reason if isinstance(value, Unknown) else None


def test_a_command_that_failed_leaves_its_fields_unknown_for_that_reason() -> None:
    reading = read(
        {
            "summary": DeviceTimeoutError("no answer"),
            "devs": listed("DEVS", {"MHS av": 41_500_000.0, "Status": "Alive"}),
            "pools": DeviceUnreachableError("reset"),
            "status": flat({"mineroff": "true"}),
        }
    )
    assert reason_of(reading.hashrate_ths) is Reason.TIMEOUT
    assert reason_of(reading.fans) is Reason.TIMEOUT
    assert reason_of(reading.pools) is Reason.UNREACHABLE
    assert reading.mining is False
    assert not isinstance(reading.boards, Unknown)
    assert reading.boards[0].hashrate_ths == pytest.approx(41.5)


def test_nothing_read_at_all_is_the_first_error() -> None:
    with pytest.raises(DeviceTimeoutError):
        v2_reading.open_all({"summary": DeviceTimeoutError("slow"), "devs": b"<html>"})
    with pytest.raises(MalformedReplyError):
        v3_reading.parse_reading({v3_reading.STATUS: b"{}", v3_reading.DEVICE: b"{}"})


def test_a_refused_command_is_a_device_error() -> None:
    reading = read({"summary": flat("invalid cmd", "E", 14), "status": flat({"mineroff": "false"})})
    assert reason_of(reading.power_w) is Reason.DEVICE_ERROR


def test_a_malformed_value_is_not_passed_over_for_another_field() -> None:
    reading = read({"summary": listed("SUMMARY", {"MHS 5s": "?", "HS RT": 1.0, "MHS av": 2.0})})
    assert reason_of(reading.hashrate_ths) is Reason.MALFORMED


def test_the_average_since_start_stands_in_where_no_shorter_one_is_given() -> None:
    reading = read({"summary": listed("SUMMARY", {"MHS av": 5_000_000.0})})
    assert reading.hashrate_ths == pytest.approx(5.0)


def test_one_fan_alone_leaves_the_other_unknown() -> None:
    reading = read({"summary": listed("SUMMARY", {"Fan Speed Out": 5280})})
    assert not isinstance(reading.fans, Unknown)
    assert reason_of(reading.fans[0].speed_rpm) is Reason.NOT_REPORTED
    assert reading.fans[1].speed_rpm == 5280


def test_v1_counts_its_faults_in_the_summary() -> None:
    reading = read(
        {"summary": listed("SUMMARY", {"Error Code Count": 1, "Error Code 0": 206})},
    )
    assert reading.faults == (Fault("206"),)


def test_a_fault_counted_but_not_named_leaves_the_faults_unknown() -> None:
    reading = read({"summary": listed("SUMMARY", {"Error Code Count": 2, "Error Code 0": 206})})
    assert reason_of(reading.faults) is Reason.MALFORMED


def test_a_failed_error_query_is_not_an_empty_list() -> None:
    reading = read(
        {
            "summary": listed("SUMMARY", {"Power": 1}),
            "get_error_code": DeviceTimeoutError("no answer"),
        }
    )
    assert reason_of(reading.faults) is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        ([], ()),
        (["531"], (Fault("531"),)),
        ([531], (Fault("531"),)),
        ([{"531": "2025-03-12 14:52:35"}], (Fault("531", "2025-03-12 14:52:35"),)),
        (
            [{"531": "2025-03-12 14:52:35", "reason": "Slot1 not found."}],
            (Fault("531", "Slot1 not found.; 2025-03-12 14:52:35"),),
        ),
    ],
)
def test_error_codes_are_read_in_every_form_that_the_firmware_writes(
    entries: list[object], faults: tuple[Fault, ...]
) -> None:
    assert fault_list(entries, "error-code") == faults


@pytest.mark.parametrize("entries", [None, "531", [None], [[]], [{}], [{"531": 5}], [""], [True]])
def test_error_codes_in_another_form_are_malformed(entries: object) -> None:
    assert reason_of(fault_list(entries, "error-code")) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("version", "api"),
    [
        ({"api_ver": "whatsminer v1.4.0", "fw_ver": "20210322.22.REL"}, Api.V1),
        ({"api_ver": "2.0.5", "fw_ver": "20230803.11.REL"}, Api.V2),
        ({"api_ver": "2.0.5", "fw_ver": "20241101.11.REL"}, Api.V3),
        ({"api_ver": "2.0.5", "fw_ver": "20241031.11.REL"}, Api.V2),
        ({"api_ver": "3.0.2", "fw_ver": ""}, Api.V3),
        ({"fw_ver": "20230803.11.REL"}, Api.V2),
    ],
)
def test_version_and_date_decide_the_api(version: dict[str, str], api: Api) -> None:
    assert judged(flat(version)) is api


def test_no_version_reply_decides_nothing() -> None:
    with pytest.raises(DeviceError):
        judged(flat("invalid cmd", "E", 14))


@pytest.mark.parametrize(
    "given",
    [
        {"host": "10.0.0.1", "api": "v4"},
        {"host": ""},
        {"host": "10.0.0.1", "port": 0},
        {"host": "10.0.0.1", "deadline_s": 0},
        {"host": "10.0.0.1", "least_power_w": 2_000},
        {"host": "10.0.0.1", "least_power_w": 3_000, "most_power_w": 2_000},
        {"host": "10.0.0.1", "password": "secret"},
        {"host": "10.0.0.1", "account": "Super User"},
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        WhatsminerSettings(**given)
