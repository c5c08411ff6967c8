"""What is written to a miner that takes its configuration only as a whole."""

from typing import Any

import pytest

from firmware_bridges.errors import MalformedReplyError
from firmware_bridges.miners.antminer.configuration import (
    WorkMode,
    mode_for,
    with_mode,
    work_mode,
)
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

CONFIGURATION: dict[str, Any] = {
    "pools": [{"url": "stratum+tcp://pool.example:3333", "user": "farm.rig", "pass": "x"}],
    "bitmain-fan-ctrl": False,
    "bitmain-fan-pwm": "100",
    "bitmain-work-mode": "0",
    "bitmain-freq-level": "90",
    "api-allow": "A:0/0",
}


@pytest.mark.parametrize(
    ("setpoint", "mode"),
    [
        (Stop(), WorkMode.SLEEP),
        (Run(), WorkMode.NORMAL),
        (Preset("normal"), WorkMode.NORMAL),
        (Preset("low_power"), WorkMode.LOW_POWER),
        (Preset("turbo"), None),
        (PowerLimit(2_000), None),
    ],
)
def test_a_setpoint_means_one_work_mode_or_none(setpoint: Setpoint, mode: WorkMode | None) -> None:
    assert mode_for(setpoint) is mode


def test_everything_that_was_read_is_written_back() -> None:
    changed = with_mode(CONFIGURATION, WorkMode.SLEEP)
    assert {**CONFIGURATION, "bitmain-work-mode": "1"}.items() <= changed.items()


def test_the_mode_is_written_under_the_name_that_the_firmware_obeys() -> None:
    changed = with_mode(CONFIGURATION, WorkMode.SLEEP)
    assert changed["miner-mode"] == 1
    assert changed["freq-level"] == "90"


def test_what_was_read_stays_as_it_was() -> None:
    before = dict(CONFIGURATION)
    with_mode(CONFIGURATION, WorkMode.LOW_POWER)
    assert before == CONFIGURATION


@pytest.mark.parametrize("pools", [None, [], "none"])
def test_a_configuration_without_pools_is_never_written_back(pools: object) -> None:
    with pytest.raises(MalformedReplyError, match="pools"):
        with_mode({**CONFIGURATION, "pools": pools}, WorkMode.SLEEP)


def test_a_configuration_without_a_mode_is_never_written_back() -> None:
    without = {key: value for key, value in CONFIGURATION.items() if "mode" not in key}
    with pytest.raises(MalformedReplyError, match="miner-mode"):
        with_mode(without, WorkMode.SLEEP)


def test_the_mode_is_read_from_either_name() -> None:
    assert work_mode({"bitmain-work-mode": "1"}) is WorkMode.SLEEP
    assert work_mode({"miner-mode": 3}) is WorkMode.LOW_POWER


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({}, Reason.NOT_REPORTED),
        ({"miner-mode": "sleepy"}, Reason.MALFORMED),
        ({"miner-mode": 7}, Reason.OUT_OF_RANGE),
    ],
)
def test_a_mode_that_cannot_be_read_is_unknown(
    configuration: dict[str, Any], reason: Reason
) -> None:
    mode = work_mode(configuration)
    assert isinstance(mode, Unknown)
    assert mode.reason is reason
