"""Writes to a simulated Braiins OS miner, and what it may do wrong, over real HTTP."""

from pathlib import Path

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.readings import MinerReading
from firmware_bridges.simulators.braiins import BraiinsSimulator
from firmware_bridges.simulators.braiins_replies import STATUS_NOT_STARTED
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop
from tests.integration.drivers.braiins_site import braiins, persona
from tests.integration.drivers.miner_site import RAMP_S, Hand, Site, cancel_a_read

BOTH = ["rest", "graphql"]
RANGE = {"least_power_w": 1_500, "most_power_w": 2_900}


async def settled(site: Site[BraiinsSimulator], setpoint: Setpoint) -> MinerReading:
    await site.miner.apply(setpoint)
    site.clock.move(RAMP_S + 1)
    return await site.miner.read()


@pytest.mark.parametrize("api", BOTH)
async def test_stop_and_run_are_obeyed_on_a_ramp(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api)) as site:
        stopped = await settled(site, Stop())
        draws_w = site.device.point().power_w
        await site.miner.apply(Run())
        site.clock.move(RAMP_S / 2)
        halfway = await site.miner.read()
        site.clock.move(RAMP_S)
        running = await site.miner.read()
    assert stopped.mining is False
    assert draws_w == 45.0
    assert halfway.hashrate_ths == pytest.approx(70.5, abs=0.1)
    assert (running.mining, running.power_w) == (True, 3000)
    assert running.hashrate_ths == pytest.approx(141.0)


async def test_over_rest_stop_pauses_so_that_power_and_hashrate_still_read(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("rest")) as site:
        stopped = await settled(site, Stop())
    assert (stopped.hashrate_ths, stopped.power_w) == (0.0, 45)


async def test_over_graphql_a_stopped_bosminer_reports_nothing_rather_than_zero(
    tmp_path: Path,
) -> None:
    async with braiins(tmp_path, persona("graphql")) as site:
        stopped = await settled(site, Stop())
    assert isinstance(stopped.hashrate_ths, Unknown)
    assert isinstance(stopped.power_w, Unknown)
    assert not isinstance(stopped.uptime_s, Unknown)


async def test_run_starts_a_bosminer_that_does_not_run_at_all(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("rest")) as site:
        site.simulator.view.started = False
        site.device.apply(Stop())
        assert site.simulator.view.status == STATUS_NOT_STARTED
        running = await settled(site, Run())
    assert running.mining is True


@pytest.mark.parametrize("api", BOTH)
async def test_a_power_target_is_held_and_survives_stop_and_run(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api), **RANGE) as site:
        limited = await settled(site, PowerLimit(2_200))
        await settled(site, Stop())
        again = await settled(site, Run())
    assert (limited.power_limit_w, limited.power_w) == (2200, 2200)
    assert (again.power_limit_w, again.power_w) == (2200, 2200)


async def test_the_rest_api_tells_its_power_range_and_the_settings_narrow_it(
    tmp_path: Path,
) -> None:
    async with braiins(tmp_path, persona("rest")) as site:
        told = (await site.miner.capabilities()).power_limit
    async with braiins(tmp_path, persona("rest"), **RANGE) as site:
        narrowed = (await site.miner.capabilities()).power_limit
    assert told is not None
    assert narrowed is not None
    assert (told.least_w, told.most_w) == (1_200, 3_000)
    assert (narrowed.least_w, narrowed.most_w) == (1_500, 2_900)


async def test_a_rest_api_that_tells_no_range_leaves_it_to_the_settings(tmp_path: Path) -> None:
    silent = persona("rest", replay={})  # every read is answered with 404
    async with braiins(tmp_path, silent, api="rest") as site:
        assert (await site.miner.capabilities()).power_limit is None
    async with braiins(tmp_path, silent, api="rest", **RANGE) as site:
        limit = (await site.miner.capabilities()).power_limit
    assert limit is not None
    assert (limit.least_w, limit.most_w) == (1_500, 2_900)


async def test_over_graphql_there_is_no_limit_without_a_range_in_the_settings(
    tmp_path: Path,
) -> None:
    async with braiins(tmp_path, persona("graphql")) as site:
        assert (await site.miner.capabilities()).power_limit is None
        with pytest.raises(NotSupportedError):
            await site.miner.apply(PowerLimit(2_000))
        assert site.device.setpoint == Run()


@pytest.mark.parametrize("api", BOTH)
async def test_a_preset_and_a_limit_out_of_range_are_refused_before_they_are_sent(
    tmp_path: Path, api: str
) -> None:
    async with braiins(tmp_path, persona(api), **RANGE) as site:
        for setpoint in (Preset("low"), PowerLimit(1_499), PowerLimit(2_901)):
            with pytest.raises(NotSupportedError):
                await site.miner.apply(setpoint)
        assert site.device.setpoint == Run()


async def test_a_target_that_the_tuner_refuses_is_a_refusal(tmp_path: Path) -> None:
    wide = {"least_power_w": 500, "most_power_w": 9_000}
    async with braiins(tmp_path, persona("graphql"), **wide) as site:
        with pytest.raises(DeviceError, match="out of range"):
            await site.miner.apply(PowerLimit(8_000))
        assert site.device.setpoint == Run()


@pytest.mark.parametrize("api", BOTH)
async def test_a_login_that_expired_is_renewed_for_reads_and_writes(
    tmp_path: Path, api: str
) -> None:
    logins = Hand()
    async with braiins(tmp_path, persona(api, clock=logins)) as site:
        await site.miner.read()
        logins.move(4_000)
        await site.miner.apply(Stop())
        logins.move(4_000)
        assert (await site.miner.read()).mining is False


@pytest.mark.parametrize("api", BOTH)
async def test_a_reboot_starts_the_miner_anew_and_ends_its_logins(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api)) as site:
        site.clock.move(5_000)
        before = await site.miner.read()
        await site.miner.reboot()
        after = await site.miner.read()
        await site.miner.apply(Stop())
    assert (before.uptime_s, after.uptime_s) == (5_000, 0)
    assert site.device.setpoint == Stop()


@pytest.mark.parametrize("api", BOTH)
async def test_while_it_boots_the_miner_is_unreachable(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api, boot_s=90.0)) as site:
        await site.miner.reboot()
        with pytest.raises(DeviceUnreachableError):
            await site.miner.read()
        site.clock.move(91)
        assert (await site.miner.read()).mining is True


@pytest.mark.parametrize("api", BOTH)
async def test_a_wrong_password_is_not_authorised_and_changes_nothing(
    tmp_path: Path, api: str
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    async with braiins(tmp_path, persona(api), password_file=wrong) as site:
        with pytest.raises(NotAuthorisedError) as caught:
            await site.miner.apply(Stop())
        assert "guess" not in str(caught.value)
        assert site.device.setpoint == Run()


async def test_without_a_password_graphql_is_read_but_takes_nothing(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("graphql"), password_file=None) as site:
        assert (await site.miner.read()).mining is True
        with pytest.raises(NotSupportedError):
            await site.miner.apply(Stop())
        with pytest.raises(NotSupportedError):
            await site.miner.reboot()


async def test_without_a_password_rest_answers_that_it_wants_one(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("rest"), password_file=None) as site:
        with pytest.raises(NotAuthorisedError):
            await site.miner.read()
        with pytest.raises(NotSupportedError):
            await site.miner.apply(Stop())


@pytest.mark.parametrize("api", BOTH)
async def test_a_lie_about_success_shows_in_what_is_read_back(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api), **RANGE) as site:
        site.script.order(Misbehaviour.LIE)
        await site.miner.apply(PowerLimit(2_000))
        await site.miner.apply(Stop())
        site.script.clear()
        site.clock.move(RAMP_S + 1)
        reading = await site.miner.read()
    assert (reading.mining, reading.power_limit_w, reading.power_w) == (True, 3000, 3000)


@pytest.mark.parametrize("api", BOTH)
@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour.TIMEOUT, DeviceTimeoutError),
        (Misbehaviour.CUT_OFF, DeviceUnreachableError),
        (Misbehaviour.GARBAGE, MalformedReplyError),
        (Misbehaviour.REBOOT, DeviceUnreachableError),
    ],
)
async def test_a_miner_that_fails_altogether_is_a_typed_error_and_recovers(
    tmp_path: Path, api: str, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    quick = 0.3 if misbehaviour is Misbehaviour.TIMEOUT else 30.0
    async with braiins(tmp_path, persona(api), api=api, deadline_s=quick) as site:
        site.script.order(misbehaviour)
        with pytest.raises(error):
            await site.miner.read()
        with pytest.raises(error):
            await site.miner.apply(Stop())
        assert site.device.setpoint in {Run(), Stop()}  # a write that times out may have arrived
        site.script.clear()
    async with braiins(tmp_path, persona(api), api=api) as site:
        assert (await site.miner.read()).mining is True


@pytest.mark.parametrize("api", BOTH)
async def test_one_request_that_fails_leaves_the_others_read(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api), api=api) as site:
        await site.miner.read()  # logs in
        site.script.order(Misbehaviour.GARBAGE, times=1)
        reading = await site.miner.read()
    parts: list[object] = [reading.uptime_s, reading.boards, reading.pools]
    if api == "rest":  # a reply for each, in no certain order
        parts += [reading.power_w, reading.fans, reading.power_limit_w, reading.faults]
    failed = [part for part in parts if isinstance(part, Unknown)]
    assert [part.reason for part in failed] == [Reason.MALFORMED]


async def test_a_cancelled_read_leaves_the_miner_usable(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("rest")) as site:
        await site.miner.read()
        await cancel_a_read(site)
        assert (await site.miner.read()).mining is True


@pytest.mark.parametrize("api", BOTH)
async def test_the_api_is_found_without_being_told(tmp_path: Path, api: str) -> None:
    async with braiins(tmp_path, persona(api)) as site:
        reading = await site.miner.read()
    assert reading.identity.firmware == "2025-08-06-0-3881c51d-25.07-plus"
    assert reading.identity.mac == "02:00:00:00:00:02"
    assert isinstance(reading.identity.model, Unknown) == (api == "graphql")


async def test_a_closed_miner_can_be_used_again(tmp_path: Path) -> None:
    async with braiins(tmp_path, persona("rest")) as site:
        await site.miner.read()
        await site.miner.close()
        assert (await site.miner.read()).mining is True
