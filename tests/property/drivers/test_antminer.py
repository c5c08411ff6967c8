"""Antminer replies broken at random: a reading or a typed error, and no zero that was not sent."""

import json
import re
import time
from pathlib import Path

import pytest

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.antminer.reading import antminer_reading
from firmware_bridges.miners.cgminer import parse_reply, reply_source
from firmware_bridges.miners.extract import Source
from firmware_bridges.readings import MinerReading
from firmware_bridges.simulators.antminer_replies import AntminerView
from firmware_bridges.simulators.physics import MinerModel, Point, SimulatedMiner
from tests.property.drivers.honest_zeros import judge
from tests.property.drivers.mutations import mutation_test, zero_was_sent

API = ("stats", "summary", "pools", "version")
KEYS_OF = {
    "hashrate_ths": r"GHS 5s",
    "average_hashrate_ths": r"GHS av",
    "nominal_hashrate_ths": r"total_rateideal",
    "power_w": r"chain_power",
    "uptime_s": r"Elapsed",
    "boards.hashrate_ths": r"chain_rate\d+",
    "boards.chips": r"chain_acn\d+",
    "boards.frequency_mhz": r"freq\d+",
    "boards.hardware_errors": r"chain_hw\d+",
    "fans.speed_rpm": r"fan\d+",
    "pools.accepted": r"Accepted",
    "pools.rejected": r"Rejected",
    "pools.stale": r"Stale",
}
_NO_POOLS = re.compile(rb'"POOLS"\s*:\s*\[[\s,]*\]|"URL"\s*:\s*""')
_ASLEEP = re.compile(rb'"(?:bitmain-work|miner)-mode"\s*:\s*"?\s*\+?0*1(?:\.0*)?')


def read_all(replies: dict[str, bytes]) -> MinerReading:
    """As the driver does it: API replies need a STATUS, the web server's have none."""
    sources: dict[str, Source] = {}
    for name, body in replies.items():
        if name in API:
            sources[name] = reply_source(body, name)
            continue
        try:
            sources[name] = parse_reply(body)
        except DeviceError as error:
            sources[name] = error
    return antminer_reading(sources)


def check(replies: dict[str, bytes]) -> None:
    reading = read_all(replies)
    judge(reading, replies, KEYS_OF)
    if reading.mining is False:
        asleep = any(_ASLEEP.search(reply) for reply in replies.values())
        assert asleep or zero_was_sent(replies, re.compile(r"GHS 5s"))
    if reading.boards == ():
        assert zero_was_sent(replies, re.compile(r"chain_(acn|rate)\d+"))
    if reading.pools == ():
        assert _NO_POOLS.search(replies["pools"])


def load(shared_data: Path) -> list[dict[str, bytes]]:
    """The captures, and for the two pages that none was captured of the simulator's replies."""
    folder = shared_data / "miners" / "antminer" / "v2020"
    view = AntminerView(
        SimulatedMiner(
            MinerModel("Antminer S21", "FR-1", "SN", "02:00:00:00:00:01", Point(3_500, 200)),
            time.monotonic,
        )
    )
    captured = {
        **{name: (folder / f"{name}.json").read_bytes() for name in API},
        "get_system_info": (folder / "system_info.json").read_bytes(),
        "get_miner_conf": json.dumps(view.configuration).encode(),
        "web_summary": json.dumps(view.web_summary()).encode(),
    }
    return [captured]


@pytest.fixture(scope="module")
def captures(shared_data: Path) -> dict[str, bytes]:
    (captured,) = load(shared_data)
    return captured


def test_the_captures_themselves_pass_the_check(captures: dict[str, bytes]) -> None:
    check(captures)


def test_the_check_sees_a_zero_that_was_not_sent(captures: dict[str, bytes]) -> None:
    reading = read_all({**captures, "stats": captures["stats"].replace(b"110566.89", b"0.0")})
    assert reading.hashrate_ths == 0
    with pytest.raises(AssertionError, match="hashrate_ths: a zero not sent"):
        judge(reading, captures, KEYS_OF)


test_mutated_replies_give_an_honest_reading = mutation_test(check, load, examples=100)
test_many_mutated_replies_give_an_honest_reading = pytest.mark.soak(
    mutation_test(check, load, examples=2_500)
)
