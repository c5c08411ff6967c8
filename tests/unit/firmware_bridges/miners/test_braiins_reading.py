"""What Braiins OS replies may hold beside what the captures show."""

import json
from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.capabilities import PowerRange
from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    MalformedReplyError,
    NotAuthorisedError,
)
from firmware_bridges.miners.braiins import graphql_reading, rest_reading
from firmware_bridges.miners.braiins.driver import judged
from firmware_bridges.miners.braiins.settings import Api, BraiinsSettings
from firmware_bridges.miners.http import HttpReply, status_error
from firmware_bridges.readings import MinerReading
from shared.measured import Reason, Unknown


def reason_of(value: object) -> Reason | None:
    return value.reason if isinstance(value, Unknown) else None


def read(**replies: object) -> MinerReading:
    """A reading of endpoints, whose slashes are written as double underscores."""
    return rest_reading.parse_reading(
        {
            name.replace("__", "/").replace("tuner_state", "tuner-state"): (
                reply if isinstance(reply, DeviceError) else json.dumps(reply).encode()
            )
            for name, reply in replies.items()
        }
    )


@pytest.mark.parametrize(
    ("status", "mining"), [(1, False), (2, True), (3, False), (4, False), (5, True)]
)
def test_the_status_says_whether_it_mines(status: int, mining: bool) -> None:
    assert read(miner__details={"status": status}).mining is mining


@pytest.mark.parametrize("status", [0, 6, -1, "2x"])
def test_a_status_without_meaning_is_not_taken_for_stopped(status: object) -> None:
    assert isinstance(read(miner__details={"status": status}).mining, Unknown)


def test_an_endpoint_that_failed_leaves_its_fields_unknown_for_that_reason() -> None:
    reading = read(miner__details={"status": 2}, miner__stats=DeviceTimeoutError("slow"))
    assert reading.mining is True
    assert reason_of(reading.hashrate_ths) is Reason.TIMEOUT
    assert reason_of(reading.power_w) is Reason.TIMEOUT
    assert reason_of(reading.boards) is Reason.NOT_REPORTED  # not asked


def test_nothing_read_at_all_is_the_first_error() -> None:
    with pytest.raises(DeviceTimeoutError):
        read(miner__details=DeviceTimeoutError("slow"), miner__stats="text")


def test_a_hashrate_target_is_no_power_limit() -> None:
    state = {"hashratetargetmodestate": {"current_target": {"terahash_per_second": 100.0}}}
    reading = read(performance__tuner_state={"mode_state": state})
    assert reading.preset == "hashrate_target"
    assert reason_of(reading.power_limit_w) is Reason.NOT_REPORTED


def test_pools_of_several_groups_are_counted_through() -> None:
    groups = [
        {"name": "a", "pools": [{"url": "one"}, {"url": "two"}]},
        {"name": "b", "pools": [{"url": "three"}]},
    ]
    pools = read(pools=groups).pools
    assert not isinstance(pools, Unknown)
    assert [(pool.index, pool.url) for pool in pools] == [(0, "one"), (1, "two"), (2, "three")]


def test_a_group_that_is_malformed_leaves_the_pools_unknown() -> None:
    assert reason_of(read(pools=[{"name": "a", "pools": "none"}]).pools) is Reason.MALFORMED


def test_an_errors_own_code_and_a_time_with_its_zone_are_kept() -> None:
    errors = [
        {
            "message": "hot",
            "timestamp": "2026-03-22T05:43:43.268950Z",
            "error_codes": [{"code": "E105", "reason": "r", "hint": "h"}],
        },
        {"message": "odd", "timestamp": "2026-03-22T05:43:43", "error_codes": []},
        {"message": "older", "timestamp": "yesterday"},
    ]
    faults = read(miner__errors={"errors": errors}).faults
    assert not isinstance(faults, Unknown)
    assert [fault.code for fault in faults] == ["E105", "uncoded", "uncoded"]
    assert [fault.time_ms for fault in faults] == [1_774_158_223_268, None, None]


def test_an_error_without_words_leaves_the_faults_unknown() -> None:
    assert isinstance(read(miner__errors={"errors": [{"timestamp": "x"}]}).faults, Unknown)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"min": {"watt": 800}, "max": {"watt": 3400}}, PowerRange(800, 3400)),
        ({"min": {"watt": 800}}, None),
        ({"min": {"watt": 3400}, "max": {"watt": 800}}, None),
        ({"min": {"watt": 0}, "max": {"watt": 800}}, None),
    ],
)
def test_the_power_range_is_the_tuners(target: object, told: PowerRange | None) -> None:
    constraints = {"tuner_constraints": {"power_target": target}}
    assert rest_reading.power_range(constraints) == told


@pytest.mark.parametrize(
    ("info", "mining"), [(None, False), ({"workSolver": None}, False), ({"workSolver": {}}, True)]
)
def test_over_graphql_a_bosminer_without_solver_does_not_mine(
    info: dict[str, Any] | None, mining: bool
) -> None:
    reading = graphql_reading.parse_reading({"system": {"bosminer": {"info": info}}})
    assert reading.mining is mining


@pytest.mark.parametrize(
    "system", [{}, {"bosminer": {}}, {"bosminer": {"info": {}}}, {"bosminer": 5}]
)
def test_over_graphql_what_is_not_there_is_not_taken_for_stopped(system: dict[str, Any]) -> None:
    assert isinstance(graphql_reading.parse_reading({"system": system}).mining, Unknown)


def test_the_hottest_chip_is_unknown_while_one_boards_is() -> None:
    solvers = [
        {"temperatures": [{"name": "Chip", "degreesC": 80}]},
        {"temperatures": [{"name": "Board", "degreesC": 60}]},
    ]
    boards = {"bosminer": {"info": {"workSolver": {"childSolvers": solvers}}}}
    reading = graphql_reading.parse_reading({"boards": boards})
    assert reason_of(reading.temperature_c) is Reason.NOT_REPORTED


def test_an_error_beside_the_data_refuses_a_graphql_reply() -> None:
    with pytest.raises(DeviceRefusedError, match="no field"):
        graphql_reading.data_of(b'{"data": {}, "errors": [{"message": "no field x"}]}', "system")
    with pytest.raises(NotAuthorisedError):
        graphql_reading.data_of(b'{"data": null, "errors": [{"message": "Unauthorized"}]}', "x")
    with pytest.raises(MalformedReplyError):
        graphql_reading.data_of(b'{"data": null}', "system")


def test_the_message_of_an_error_type_is_a_refusal() -> None:
    data = {"bosminer": {"stop": {"__typename": "BosminerError", "message": "busy"}}}
    assert graphql_reading.refusal_in(data, "bosminer", "stop") == "busy"
    assert graphql_reading.refusal_in({"bosminer": {"stop": {}}}, "bosminer", "stop") is None


def answer(body: bytes) -> HttpReply:
    return HttpReply(200, body, {})


@pytest.mark.parametrize(
    ("given", "api"),
    [
        (answer(b'{"major": 1, "minor": 0, "patch": 0}'), Api.REST),
        (answer(b"<html>LuCI</html>"), Api.GRAPHQL),
        (answer(b"[]"), Api.GRAPHQL),
        (status_error(401, "GET version", b""), Api.REST),
        (status_error(404, "GET version", b""), Api.GRAPHQL),
        (MalformedReplyError("not HTTP"), Api.GRAPHQL),
    ],
)
def test_the_answer_to_the_version_request_decides_the_api(
    given: HttpReply | DeviceError, api: Api
) -> None:
    assert judged(given) is api


def test_a_server_that_fails_decides_nothing() -> None:
    with pytest.raises(DeviceRefusedError):
        judged(status_error(502, "GET version", b"Bad Gateway"))


@pytest.mark.parametrize(
    "given",
    [
        {"host": "10.0.0.1", "api": "soap"},
        {"host": "10.0.0.1", "most_power_w": 2_000},
        {"host": "10.0.0.1", "least_power_w": 3_000, "most_power_w": 2_000},
        {"host": "10.0.0.1", "password": "secret"},
        {"host": "10.0.0.1", "deadline_s": 61},
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        BraiinsSettings(**given)


def test_a_range_that_the_settings_and_the_miner_do_not_share_is_none() -> None:
    chosen = BraiinsSettings(
        host="10.0.0.1", password_file=Path("secret"), least_power_w=5_000, most_power_w=6_000
    )
    assert chosen.capabilities(PowerRange(1_000, 3_000)).power_limit is None
