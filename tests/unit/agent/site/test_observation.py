"""What a reading says of a device."""

from dataclasses import replace

import pytest

from agent.site.observation import (
    AlarmCode,
    DeviceState,
    Seen,
    alarms_of,
    device_state,
    followed_setpoint,
)
from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.readings import Fault, MinerReading, PlantReading
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop

SEEN = Seen(MinerReading(mining=True), 0, 2, locked=False, stopped_by_decision=False)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (SEEN, DeviceState.MINING),
        (replace(SEEN, reading=None), DeviceState.UNKNOWN),
        (replace(SEEN, failures=1), DeviceState.MINING),
        (replace(SEEN, failures=2), DeviceState.OFFLINE),
        (replace(SEEN, failures=2, locked=True), DeviceState.LOCKED),
        (replace(SEEN, reading=MinerReading(mining=False)), DeviceState.STOPPED),
        (
            replace(SEEN, reading=MinerReading(mining=False), stopped_by_decision=True),
            DeviceState.CURTAILED,
        ),
        (replace(SEEN, reading=MinerReading()), DeviceState.ONLINE),
        (replace(SEEN, reading=PlantReading()), DeviceState.ONLINE),
    ],
)
def test_the_state_follows_from_what_was_seen(seen: Seen, state: DeviceState) -> None:
    assert device_state(seen) is state


@pytest.mark.parametrize(
    ("reading", "told", "follows"),
    [
        (MinerReading(), PowerLimit(2_000), PowerLimit(2_000)),
        (MinerReading(), None, None),
        (MinerReading(mining=False), Run(), Stop()),
        (MinerReading(mining=True), Stop(), Run()),
        (MinerReading(mining=True), PowerLimit(2_000), PowerLimit(2_000)),
        (MinerReading(mining=True, preset="low"), None, Preset("low")),
        (MinerReading(mining=True, preset="other"), None, Run()),
        (MinerReading(mining=True, preset="high"), Preset("low"), Preset("high")),
        (MinerReading(mining=True, power_limit_w=2_000.0), Stop(), PowerLimit(2_000)),
    ],
)
def test_a_miner_follows_what_it_was_told_unless_its_reading_says_otherwise(
    reading: MinerReading, told: Setpoint | None, follows: Setpoint | None
) -> None:
    assert followed_setpoint(reading, told, [Preset("low"), PowerLimit(2_000)]) == follows


def test_alarms_name_silence_faults_and_power_behind_a_lock() -> None:
    lost = alarms_of(replace(SEEN, failures=2), DeviceTimeoutError("no answer"), None, 45.0)
    assert lost == {AlarmCode.UNREACHABLE: "no answer"}
    faulty = replace(SEEN, reading=MinerReading(faults=(Fault("530", "slot 0 hot"),)))
    assert alarms_of(faulty, None, None, 45.0) == {AlarmCode.FAULTS: "530 slot 0 hot"}
    locked = replace(SEEN, reading=MinerReading(mining=False), locked=True)
    assert alarms_of(locked, None, 44.0, 45.0) == {}
    assert set(alarms_of(locked, None, 3_000.0, 45.0)) == {AlarmCode.ENERGISED_WHILE_LOCKED}
    assert alarms_of(SEEN, None, None, 45.0) == {}
