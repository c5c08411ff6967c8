"""Whether a write took effect, judged on what was read afterwards."""

import pytest

from agent.site.verify import Evidence, Expectation, SharedMeter, Verdict, verify
from firmware_bridges.readings import MinerReading
from shared.measured import Measured, Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

SILENT = Unknown(Reason.TIMEOUT)


def expectation(setpoint: Setpoint, before_w: float = 3_000.0) -> Expectation:
    after_w = {Stop(): 45.0, Run(): 3_000.0, PowerLimit(2_000): 2_000.0}.get(setpoint)
    return Expectation(setpoint, before_w, after_w, idle_w=45.0, tolerance=0.2)


def seen(
    reading: MinerReading | None,
    power_w: Measured[float] = SILENT,
    shared: SharedMeter | None = None,
    *,
    timed_out: bool = True,
) -> Evidence:
    return Evidence(reading, power_w, "pdu", shared, timed_out)


@pytest.mark.parametrize(
    ("setpoint", "reading", "power_w", "verdict"),
    [
        (Stop(), MinerReading(mining=False), 50.0, Verdict.DONE),
        (Stop(), MinerReading(mining=False), SILENT, Verdict.DONE),
        (Stop(), MinerReading(mining=True), 50.0, Verdict.UNVERIFIED),
        (Stop(), MinerReading(mining=False), 2_900.0, Verdict.UNVERIFIED),
        (Stop(), MinerReading(), 60.0, Verdict.DONE),
        (Stop(), MinerReading(), SILENT, Verdict.UNVERIFIED),
        (Run(), MinerReading(mining=True), 2_950.0, Verdict.DONE),
        (Run(), MinerReading(mining=True), 45.0, Verdict.UNVERIFIED),
        (Run(), MinerReading(mining=False), 2_950.0, Verdict.UNVERIFIED),
        (
            PowerLimit(2_000),
            MinerReading(mining=True, power_limit_w=2_010.0),
            1_950.0,
            Verdict.DONE,
        ),
        (
            PowerLimit(2_000),
            MinerReading(mining=True, power_limit_w=3_000.0),
            1_950.0,
            Verdict.UNVERIFIED,
        ),
        (
            PowerLimit(2_000),
            MinerReading(mining=True, power_limit_w=2_000.0),
            2_990.0,
            Verdict.UNVERIFIED,
        ),
        (Preset("low"), MinerReading(mining=True, preset="low"), 1_500.0, Verdict.DONE),
        (Preset("low"), MinerReading(mining=True, preset="high"), 1_500.0, Verdict.UNVERIFIED),
        (Preset("low"), MinerReading(mining=True), 1_500.0, Verdict.UNVERIFIED),
    ],
)
def test_a_write_is_done_only_when_fields_and_kilowatts_follow(
    setpoint: Setpoint, reading: MinerReading, power_w: Measured[float], verdict: Verdict
) -> None:
    found, missing = verify(expectation(setpoint), seen(reading, power_w))
    assert found is verdict
    assert bool(missing) == (verdict is not Verdict.DONE)


def test_what_has_not_come_yet_is_waited_for_until_the_time_to_settle_is_over() -> None:
    ramping = MinerReading(mining=True)
    early = seen(ramping, 1_000.0, timed_out=False)
    assert verify(expectation(Run()), early)[0] is Verdict.WAIT
    assert verify(expectation(Run()), seen(None, timed_out=False))[0] is Verdict.WAIT
    assert verify(expectation(Run()), seen(None))[0] is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    ("now_w", "verdict"),
    [
        (71_000.0, Verdict.DONE),
        (75_000.0, Verdict.DONE),
        (80_000.0, Verdict.UNVERIFIED),
        (110_000.0, Verdict.UNVERIFIED),
        (SILENT, Verdict.UNVERIFIED),
    ],
)
def test_a_shared_meter_must_follow_what_was_written_together(
    now_w: Measured[float], verdict: Verdict
) -> None:
    shared = SharedMeter(before_w=100_000.0, now_w=now_w, expected_change_w=-30_000.0)
    evidence = seen(MinerReading(mining=False), SILENT, shared)
    assert verify(expectation(Stop()), evidence)[0] is verdict


def test_a_change_that_drowns_in_a_shared_meter_is_not_judged_by_it() -> None:
    shared = SharedMeter(before_w=1_000_000.0, now_w=1_004_000.0, expected_change_w=-2_955.0)
    evidence = seen(MinerReading(mining=False), SILENT, shared)
    assert verify(expectation(Stop()), evidence)[0] is Verdict.DONE
