"""Writes to a simulated Whatsminer, and what it may do wrong, through real sockets."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotAuthorisedError,
    NotSupportedError,
)
from firmware_bridges.miners.cgminer import command_bytes, exchange
from firmware_bridges.miners.whatsminer import v3_wire
from firmware_bridges.readings import MinerReading
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from firmware_bridges.simulators.whatsminer import MAX_TOKENS, WhatsminerSimulator
from shared.measured import Reason, Unknown
from shared.setpoints import PowerLimit, Preset, Run, Setpoint, Stop
from tests.integration.drivers.miner_site import RAMP_S, Hand, Site, cancel_a_read
from tests.integration.drivers.whatsminer_site import persona, whatsminer

ALL = ["v1", "v2", "v3"]
V3_FIRMWARE = "20251209.16.REL"


def firmware_of(api: str) -> str:
    return V3_FIRMWARE if api == "v3" else "20230803.11.REL"


async def settled(site: Site[WhatsminerSimulator], setpoint: Setpoint) -> MinerReading:
    await site.miner.apply(setpoint)
    site.clock.move(RAMP_S + 1)
    return await site.miner.read()


@pytest.mark.parametrize("api", ALL)
async def test_stop_and_run_are_obeyed_on_a_ramp(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        await site.miner.apply(Stop())
        site.clock.move(RAMP_S / 2)
        halfway = await site.miner.read()
        site.clock.move(RAMP_S)
        stopped = await site.miner.read()
        running = await settled(site, Run())
    assert halfway.mining is False
    assert halfway.hashrate_ths == pytest.approx(93.0, abs=0.1)
    assert (stopped.mining, stopped.hashrate_ths, stopped.power_w) == (False, 0.0, 45)
    assert (running.mining, running.hashrate_ths, running.power_w) == (True, 186.0, 3400)


@pytest.mark.parametrize("api", ALL)
async def test_a_preset_changes_power_and_reads_back_by_its_name(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        low = await settled(site, Preset("low"))
        high = await settled(site, Preset("high"))
    assert (low.preset, low.power_w) == ("low", 2600)
    assert (high.preset, high.power_w) == ("high", 3800)


@pytest.mark.parametrize("api", ["v2", "v3"])
async def test_a_power_limit_is_held_and_survives_stop_and_run(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        limited = await settled(site, PowerLimit(2_500))
        await settled(site, Stop())
        again = await settled(site, Run())
    assert (limited.power_limit_w, limited.power_w) == (2500, 2500)
    assert (again.power_limit_w, again.power_w) == (2500, 2500)


@pytest.mark.parametrize("api", ALL)
async def test_a_reboot_starts_the_miner_anew(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        site.clock.move(5_000)
        before = await site.miner.read()
        await site.miner.reboot()
        after = await site.miner.read()
    assert (before.uptime_s, after.uptime_s) == (5_030, 30)


@pytest.mark.parametrize("api", ["v2", "v3"])
async def test_while_it_boots_the_miner_is_unreachable(tmp_path: Path, api: str) -> None:
    gone = persona(api, boot_s=90.0)
    async with whatsminer(tmp_path, gone, firmware=firmware_of(api), api=api) as site:
        await site.miner.reboot()
        with pytest.raises(DeviceUnreachableError):
            await site.miner.read()
        site.clock.move(91)
        assert (await site.miner.read()).mining is True


async def test_v1_takes_no_limit_in_watts_and_nothing_is_sent(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v1")) as site:
        with pytest.raises(NotSupportedError, match="no power limit"):
            await site.miner.apply(PowerLimit(2_500))
        assert site.simulator.tokens == 0


@pytest.mark.parametrize("api", ALL)
async def test_a_limit_outside_the_settings_range_is_refused_before_it_is_sent(
    tmp_path: Path, api: str
) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        for power_w in (1_999, 3_401):
            with pytest.raises(NotSupportedError):
                await site.miner.apply(PowerLimit(power_w))
        assert site.device.setpoint == Run()


@pytest.mark.parametrize("api", ALL)
async def test_without_a_password_the_miner_is_read_but_takes_nothing(
    tmp_path: Path, api: str
) -> None:
    async with whatsminer(
        tmp_path, persona(api), firmware=firmware_of(api), password_file=None
    ) as site:
        assert (await site.miner.read()).mining is True
        assert (await site.miner.capabilities()).stop is False
        with pytest.raises(NotSupportedError):
            await site.miner.apply(Stop())
        with pytest.raises(NotSupportedError):
            await site.miner.reboot()
        assert site.device.setpoint == Run()


@pytest.mark.parametrize("api", ALL)
async def test_a_wrong_password_is_not_authorised_and_changes_nothing(
    tmp_path: Path, api: str
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    async with whatsminer(
        tmp_path, persona(api), firmware=firmware_of(api), password_file=wrong
    ) as site:
        with pytest.raises(NotAuthorisedError) as caught:
            await site.miner.apply(Stop())
        assert "guess" not in str(caught.value)
        assert site.device.setpoint == Run()


async def test_one_token_serves_many_writes(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v2")) as site:
        for setpoint in (Stop(), Run(), Preset("low"), PowerLimit(2_500)):
            await site.miner.apply(setpoint)
        assert site.simulator.tokens == 1


async def test_a_wrong_password_costs_one_token_a_write(tmp_path: Path) -> None:
    """Two a write, and the 32 that a miner gives would soon hide what is wrong."""
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    async with whatsminer(tmp_path, persona("v2"), password_file=wrong) as site:
        with pytest.raises(NotAuthorisedError):
            await site.miner.apply(Stop())
        assert site.simulator.tokens == 1


async def test_a_token_that_expired_is_replaced_and_the_write_carried_out(tmp_path: Path) -> None:
    tokens = Hand()
    async with whatsminer(tmp_path, persona("v2", token_clock=tokens)) as site:
        await site.miner.apply(Stop())
        tokens.move(30 * 60 + 1)
        await site.miner.apply(Run())
        assert site.device.setpoint == Run()
        assert site.simulator.tokens == 1


async def test_tokens_die_with_a_reboot_and_are_replaced(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v2")) as site:
        await site.miner.apply(Preset("low"))
        site.simulator._reboot()  # somebody pressed the button
        await site.miner.apply(Stop())
        assert site.device.setpoint == Stop()


async def test_a_miner_that_gives_no_more_tokens_says_so(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v2")) as site:
        for _ in range(MAX_TOKENS):
            await exchange("127.0.0.1", site.simulator.port, command_bytes("get_token"), 30.0)
        with pytest.raises(DeviceRefusedError, match="no more tokens"):
            await site.miner.apply(Stop())
        assert site.device.setpoint == Run()


@pytest.mark.parametrize("skew_s", [-86_400, 86_400])
@pytest.mark.parametrize("api", ["v2", "v3"])
async def test_a_miner_whose_clock_is_a_day_off_still_takes_writes(
    tmp_path: Path, api: str, skew_s: int
) -> None:
    skewed = persona(api, wall_clock=lambda: time.time() + skew_s)
    async with whatsminer(tmp_path, skewed, firmware=firmware_of(api)) as site:
        await site.miner.apply(Stop())
        assert site.device.setpoint == Stop()


async def test_a_v3_write_signed_with_an_old_time_is_refused(tmp_path: Path) -> None:
    """What the simulator checks, so that the test above means something."""
    async with whatsminer(tmp_path, persona("v3"), firmware=V3_FIRMWARE) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.simulator.v3_port)

        async def call(request: bytes) -> dict[str, Any]:
            writer.write(request)
            length = int.from_bytes(await reader.readexactly(4), "little")
            reply: dict[str, Any] = json.loads(await reader.readexactly(length))
            return reply

        info = await call(v3_wire.request("get.device.info", "salt"))
        for age_s, code in ((3_600, -4), (0, 0)):
            challenge = v3_wire.Challenge(info["msg"]["salt"], info["when"] - age_s)
            password = site.simulator.persona.password
            request = v3_wire.write_request(
                "set.miner.service", "stop", challenge, "super", password
            )
            assert (await call(request))["code"] == code
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("api", ALL)
async def test_a_lie_about_success_shows_in_what_is_read_back(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        site.script.order(Misbehaviour.LIE)
        await site.miner.apply(Stop())
        site.script.clear()
        site.clock.move(RAMP_S + 1)
        reading = await site.miner.read()
    assert (reading.mining, reading.power_w) == (True, 3400)


@pytest.mark.parametrize("api", ALL)
@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour.TIMEOUT, DeviceTimeoutError),
        (Misbehaviour.CUT_OFF, DeviceError),
        (Misbehaviour.GARBAGE, DeviceError),
        (Misbehaviour.REBOOT, DeviceUnreachableError),
    ],
)
async def test_a_miner_that_fails_altogether_is_a_typed_error_and_recovers(
    tmp_path: Path, api: str, misbehaviour: Misbehaviour, error: type[DeviceError]
) -> None:
    # garbage on v3 announces a long frame that never comes
    waits = misbehaviour is Misbehaviour.TIMEOUT or (misbehaviour, api) == ("garbage", "v3")
    quick = 0.3 if waits else 30.0
    async with whatsminer(
        tmp_path, persona(api), firmware=firmware_of(api), api=api, deadline_s=quick
    ) as site:
        site.script.order(misbehaviour)
        with pytest.raises(error):
            await site.miner.read()
        with pytest.raises(DeviceError):
            await site.miner.apply(Stop())
        site.script.clear()
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        assert (await site.miner.read()).mining is True


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_one_command_that_fails_leaves_the_others_read(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), api=api) as site:
        site.script.order(Misbehaviour.GARBAGE, times=1)
        reading = await site.miner.read()
    assert isinstance(reading.hashrate_ths, Unknown)  # the summary is asked first
    assert reading.hashrate_ths.reason is Reason.MALFORMED
    assert not isinstance(reading.boards, Unknown)
    assert len(reading.boards) == 3
    assert reading.mining is True


async def test_a_cancelled_read_leaves_the_miner_usable(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v3"), firmware=V3_FIRMWARE) as site:
        await site.miner.read()
        await cancel_a_read(site)
        assert (await site.miner.read()).mining is True


@pytest.mark.parametrize("api", ALL)
async def test_the_api_is_found_without_being_told(tmp_path: Path, api: str) -> None:
    async with whatsminer(tmp_path, persona(api), firmware=firmware_of(api)) as site:
        reading = await site.miner.read()
        capabilities = await site.miner.capabilities()
    assert reading.identity.model == "M60S_VK40"
    assert reading.identity.firmware == firmware_of(api)
    assert (capabilities.power_limit is None) == (api == "v1")
    assert isinstance(reading.identity.serial, Unknown) == (api != "v3")


async def test_a_miner_that_is_off_the_grid_is_unreachable(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v2")) as site:
        site.device.power(on=False)
        with pytest.raises(DeviceUnreachableError):
            await site.miner.read()
        site.device.power(on=True)
        assert (await site.miner.read()).mining is True


async def test_garbage_on_every_command_is_malformed(tmp_path: Path) -> None:
    async with whatsminer(tmp_path, persona("v2"), api="v2") as site:
        site.script.order(Misbehaviour.GARBAGE)
        with pytest.raises(MalformedReplyError):
            await site.miner.read()
