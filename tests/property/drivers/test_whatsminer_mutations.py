"""Mutated Whatsminer captures give a reading or a typed error: no crash, no invented zero."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.cgminer import parse_reply
from firmware_bridges.miners.whatsminer import privileged, v2_reading, v3_reading, v3_wire
from firmware_bridges.miners.whatsminer.driver import judged
from firmware_bridges.miners.whatsminer.settings import Api
from firmware_bridges.readings import MinerReading
from tests.integration.drivers.whatsminer_site import captures, v3_captures
from tests.property.drivers.honest_zeros import judge
from tests.property.drivers.mutations import mutated, mutation_test

LEGACY_SOURCES = {
    "hashrate_ths": "MHS .*|HS RT",
    "average_hashrate_ths": "MHS av",
    "nominal_hashrate_ths": "Factory GHS",
    "power_w": "Power",
    "power_limit_w": "Power Limit|power_limit_set",
    "temperature_c": "Chip Temp Max|Temperature",
    "inlet_temperature_c": "Env Temp",
    "uptime_s": "Uptime|Elapsed",
    "boards.hashrate_ths": "MHS .*",
    "boards.nominal_hashrate_ths": "Factory GHS",
    "boards.temperature_c": "Temperature",
    "boards.chip_temperature_c": "Chip Temp Max",
    "boards.chips": "Effective Chips",
    "boards.frequency_mhz": "Chip Frequency|Frequency",
    "boards.hardware_errors": "Hardware Errors",
    "fans.speed_rpm": "Fan Speed (In|Out)",
    "pools.accepted": "Accepted",
    "pools.rejected": "Rejected",
    "pools.stale": "Stale",
}
V3_SOURCES = {
    "hashrate_ths": "hash-.*",
    "average_hashrate_ths": "hash-average",
    "nominal_hashrate_ths": "factory-hash",
    "power_w": "power-realtime|power-5min",
    "power_limit_w": "power-limit",
    "temperature_c": "chip-temp-max",
    "inlet_temperature_c": "environment-temperature",
    "uptime_s": "bootup-time",
    "boards.hashrate_ths": "hash-.*",
    "boards.nominal_hashrate_ths": "factory-hash",
    "boards.chip_temperature_c": "chip-temp-max",
    "boards.chips": "effective-chips",
    "boards.frequency_mhz": "freq",
    "fans.speed_rpm": "fan-speed-(in|out)",
    "pools.accepted": "accepted",
    "pools.rejected": "rejected",
    "pools.stale": "stale",
}


def read_legacy(replies: dict[str, bytes]) -> MinerReading | DeviceError:
    try:
        sources = v2_reading.open_all(replies)
    except DeviceError as error:
        return error
    return v2_reading.parse_reading(sources, v2_reading.parse_identity(sources))


def read_v3(replies: dict[str, bytes]) -> MinerReading | DeviceError:
    try:
        return v3_reading.parse_reading(replies)
    except DeviceError as error:
        return error


def legacy(shared_data: Path) -> list[dict[str, bytes]]:
    return [captures(shared_data, "v1"), captures(shared_data, "v2")]


def v3_requests(shared_data: Path) -> list[dict[str, bytes]]:
    """The captures by the name that the reading module has for them."""
    raw = v3_captures(shared_data)
    device = raw["get.device.info"]
    status = raw[f"{v3_reading.STATUS} {v3_reading.STATUS_PARAM}"]
    return [{v3_reading.DEVICE: device, v3_reading.STATUS: status}]


def without_board_temperatures(replies: dict[str, bytes]) -> dict[str, bytes]:
    """v3 lists them bare, so that no key stands before a zero: write a key before each."""
    found = dict(replies)
    for name, reply in replies.items():
        found[name] = reply.replace(b'"board-temperature": [', b'"board-temperature": ').replace(
            b", ", b', "board-temperature": '
        )
    return found


def check_legacy(replies: dict[str, bytes]) -> None:
    reading = read_legacy(replies)
    if isinstance(reading, MinerReading):
        judge(reading, replies, LEGACY_SOURCES)
    version = replies.get("get_version")
    if version is not None:
        with contextlib.suppress(DeviceError):
            assert judged(version) in {Api.V1, Api.V2, Api.V3}


def check_v3(replies: dict[str, bytes]) -> None:
    reading = read_v3(replies)
    if isinstance(reading, MinerReading):
        sent = {**replies, **{f"{k} ": v for k, v in without_board_temperatures(replies).items()}}
        judge(reading, sent, V3_SOURCES | {"boards.temperature_c": "board-temperature"})
    if v3_reading.DEVICE in replies:
        with contextlib.suppress(DeviceError):
            challenge = v3_wire.challenge_from(replies[v3_reading.DEVICE])
            assert len(v3_wire.token("set.miner.service", "pw", challenge)) == 8


test_mutated_v1_and_v2_captures_read_or_fail_by_type = mutation_test(
    check_legacy, legacy, examples=60
)
test_many_mutated_v1_and_v2_captures_read_or_fail_by_type = pytest.mark.soak(
    mutation_test(check_legacy, legacy, examples=1_500)
)
test_mutated_v3_captures_read_or_fail_by_type = mutation_test(check_v3, v3_requests, examples=40)
test_many_mutated_v3_captures_read_or_fail_by_type = pytest.mark.soak(
    mutation_test(check_v3, v3_requests, examples=1_000)
)


TOKEN = json.dumps(
    {
        "STATUS": "S",
        "When": 1,
        "Code": 134,
        "Msg": {"time": "5626", "salt": "BQ5hoXV9", "newsalt": "jbzkfQls"},
        "Description": "whatsminer v1.4.0",
    }
).encode()


@given(raw=mutated(TOKEN))
def test_a_mutated_token_is_a_session_or_a_typed_error(raw: bytes) -> None:
    try:
        reply = parse_reply(raw)
        session = privileged.session_from(privileged.grant_from(reply), "pw")
    except DeviceError:
        return
    assert len(session.key) == 32
    assert len(session.sign) == 22


@given(sealed=st.text(max_size=100) | st.binary(max_size=64).map(lambda raw: raw.hex()))
def test_ciphertext_that_is_none_is_a_typed_error(sealed: str) -> None:
    session = privileged.Session("sign", bytes(32))
    with pytest.raises(DeviceError):
        privileged.check(privileged.unseal(session, {"enc": sealed}), "power_on")
