"""Mutated Braiins OS captures give a reading or a typed error: no crash, no invented zero."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.braiins import graphql_reading, rest_reading
from firmware_bridges.readings import MinerReading
from tests.integration.drivers.braiins_site import graphql_captures, rest_captures
from tests.property.drivers.honest_zeros import judge
from tests.property.drivers.mutations import mutated_replies

HASHRATE = "gigahash_per_second"
REST_SOURCES = {
    "hashrate_ths": HASHRATE,
    "average_hashrate_ths": HASHRATE,
    "nominal_hashrate_ths": HASHRATE,
    "power_w": "watt",
    "power_limit_w": "watt",
    "temperature_c": "degree_c",
    "uptime_s": "system_uptime(_s)?",
    "boards.hashrate_ths": HASHRATE,
    "boards.nominal_hashrate_ths": HASHRATE,
    "boards.temperature_c": "degree_c",
    "boards.chip_temperature_c": "degree_c",
    "boards.inlet_temperature_c": "degree_c",
    "boards.outlet_temperature_c": "degree_c",
    "boards.chips": "chips_count",
    "boards.frequency_mhz": "hertz",
    "boards.voltage_v": "volt",
    "fans.speed_rpm": "rpm",
    "pools.accepted": "accepted_shares",
    "pools.rejected": "rejected_shares",
    "pools.stale": "stale_shares",
}
GRAPHQL_SOURCES = {
    "hashrate_ths": "mhs5S",
    "nominal_hashrate_ths": "nominalMhs",
    "power_w": "approxConsumptionW",
    "power_limit_w": "limitW|powerTarget",
    "temperature_c": "degreesC",
    "uptime_s": "durationS",
    "boards.hashrate_ths": "mhs5S",
    "boards.nominal_hashrate_ths": "nominalMhs",
    "boards.temperature_c": "degreesC",
    "boards.chip_temperature_c": "degreesC",
    "boards.chips": "chips",
    "boards.frequency_mhz": "frequencyMhz",
    "boards.voltage_v": "voltageV",
    "fans.speed_rpm": "rpm",
    "pools.accepted": "acceptedSolutions",
    "pools.rejected": "rejectedSolutions",
}


def check_rest(data: st.DataObject, captured: dict[str, bytes]) -> None:
    polled = {endpoint: captured[endpoint] for endpoint in rest_reading.POLLED}
    replies = data.draw(mutated_replies(polled))
    try:
        reading = rest_reading.parse_reading(replies)
    except DeviceError:
        return
    judge(reading, replies, REST_SOURCES)


def read_graphql(replies: dict[str, bytes]) -> MinerReading:
    sources = {
        name: graphql_reading.opened(reply, name)
        for name, reply in replies.items()
        if name != graphql_reading.NETWORK
    }
    reading = graphql_reading.parse_reading(sources)
    network = replies.get(graphql_reading.NETWORK)
    if network is None:
        return reading
    return graphql_reading.with_mac(reading, graphql_reading.mac_of(network))


def check_graphql(data: st.DataObject, captured: dict[str, bytes]) -> None:
    replies = data.draw(mutated_replies(captured))
    try:
        reading = read_graphql(replies)
    except DeviceError:
        return
    judge(reading, replies, GRAPHQL_SOURCES)


@settings(max_examples=50)
@given(data=st.data())
def test_mutated_rest_captures_read_or_fail_by_type(shared_data: Path, data: st.DataObject) -> None:
    check_rest(data, rest_captures(shared_data))


@settings(max_examples=50)
@given(data=st.data())
def test_mutated_graphql_captures_read_or_fail_by_type(
    shared_data: Path, data: st.DataObject
) -> None:
    check_graphql(data, graphql_captures(shared_data))


@pytest.mark.soak
@settings(max_examples=1_250)
@given(data=st.data())
def test_1250_mutated_rest_captures_read_or_fail_by_type(
    shared_data: Path, data: st.DataObject
) -> None:
    check_rest(data, rest_captures(shared_data))


@pytest.mark.soak
@settings(max_examples=1_250)
@given(data=st.data())
def test_1250_mutated_graphql_captures_read_or_fail_by_type(
    shared_data: Path, data: st.DataObject
) -> None:
    check_graphql(data, graphql_captures(shared_data))
