"""LuxOS replies broken at random: a reading or a typed error, and no zero that was not sent."""

import re
from pathlib import Path

import pytest

from firmware_bridges.miners.cgminer import reply_source
from firmware_bridges.miners.luxos.reading import luxos_reading, operating_points
from firmware_bridges.readings import MinerReading
from shared.measured import Unknown
from tests.property.drivers.honest_zeros import judge
from tests.property.drivers.mutations import mutation_test, zero_was_sent

KEYS_OF = {
    "hashrate_ths": r"GHS 5s",
    "average_hashrate_ths": r"GHS av",
    "nominal_hashrate_ths": r"Nominal MHS",
    "power_w": r"Watts",
    "uptime_s": r"Elapsed",
    "temperature_c": r"Temperature",
    "boards.hashrate_ths": r"MHS 5s",
    "boards.nominal_hashrate_ths": r"Nominal MHS",
    "boards.temperature_c": r"Temperature",
    "boards.chips": r"chain_acn\d+",
    "boards.frequency_mhz": r"freq\d+",
    "boards.voltage_v": r"Voltage",
    "boards.hardware_errors": r"Hardware Errors",
    "fans.speed_rpm": r"RPM",
    "pools.accepted": r"Accepted",
    "pools.rejected": r"Rejected",
    "pools.stale": r"Stale",
}
_ASLEEP = re.compile(rb'"CurtailMode"\s*:\s*"\s*(?:sleep|idle)', re.IGNORECASE)
_EMPTY = {
    "devs": re.compile(rb'"DEVS"\s*:\s*\[[\s,]*\]'),
    "fans": re.compile(rb'"FANS"\s*:\s*\[[\s,]*\]'),
    "pools": re.compile(rb'"POOLS"\s*:\s*\[[\s,]*\]|"URL"\s*:\s*""'),
}


def read_all(replies: dict[str, bytes]) -> MinerReading:
    return luxos_reading({name: reply_source(body, name) for name, body in replies.items()})


def check(replies: dict[str, bytes]) -> None:
    reading = read_all(replies)
    judge(reading, replies, KEYS_OF)
    if reading.mining is False:
        asleep = any(_ASLEEP.search(reply) for reply in replies.values())
        assert asleep or zero_was_sent(replies, re.compile(r"GHS 5s"))
    for name, items in (
        ("devs", reading.boards),
        ("fans", reading.fans),
        ("pools", reading.pools),
    ):
        if items == ():
            assert _EMPTY[name].search(replies[name])
    profiles = operating_points(reply_source(replies.get("profiles", b""), "profiles"))
    if not isinstance(profiles, Unknown):
        assert all("," not in point.name for point in profiles)


def load(shared_data: Path) -> list[dict[str, bytes]]:
    folder = shared_data / "miners" / "luxminer" / "v1"
    return [{file.stem: file.read_bytes() for file in sorted(folder.glob("*.json"))}]


@pytest.fixture(scope="module")
def captures(shared_data: Path) -> dict[str, bytes]:
    (captured,) = load(shared_data)
    return captured


def test_the_captures_themselves_pass_the_check(captures: dict[str, bytes]) -> None:
    check(captures)


def test_the_check_sees_a_zero_that_was_not_sent(captures: dict[str, bytes]) -> None:
    reading = read_all({**captures, "power": captures["power"].replace(b"1051", b"0")})
    assert reading.power_w == 0
    with pytest.raises(AssertionError, match="power_w: a zero not sent"):
        judge(reading, captures, KEYS_OF)


test_mutated_replies_give_an_honest_reading = mutation_test(check, load, examples=100)
test_many_mutated_replies_give_an_honest_reading = pytest.mark.soak(
    mutation_test(check, load, examples=2_500)
)
