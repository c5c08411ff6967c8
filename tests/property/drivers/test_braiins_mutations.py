"""Mutated Braiins OS captures give a reading or a typed error: no crash, no invented zero."""

from pathlib import Path

import pytest

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.braiins import graphql_reading, rest_reading
from firmware_bridges.readings import MinerReading
from tests.integration.drivers.braiins_site import graphql_captures, rest_captures
from tests.property.drivers.honest_zeros import judge
from tests.property.drivers.mutations import mutation_test

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


def polled(shared_data: Path) -> list[dict[str, bytes]]:
    captured = rest_captures(shared_data)
    return [{endpoint: captured[endpoint] for endpoint in rest_reading.POLLED}]


def check_rest(replies: dict[str, bytes]) -> None:
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


def check_graphql(replies: dict[str, bytes]) -> None:
    try:
        reading = read_graphql(replies)
    except DeviceError:
        return
    judge(reading, replies, GRAPHQL_SOURCES)


def graphql(shared_data: Path) -> list[dict[str, bytes]]:
    return [graphql_captures(shared_data)]


test_mutated_rest_captures_read_or_fail_by_type = mutation_test(check_rest, polled, examples=50)
test_many_mutated_rest_captures_read_or_fail_by_type = pytest.mark.soak(
    mutation_test(check_rest, polled, examples=1_250)
)
test_mutated_graphql_captures_read_or_fail_by_type = mutation_test(
    check_graphql, graphql, examples=50
)
test_many_mutated_graphql_captures_read_or_fail_by_type = pytest.mark.soak(
    mutation_test(check_graphql, graphql, examples=1_250)
)
