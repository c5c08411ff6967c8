"""PDUs and breakers over real sockets and pseudo-terminals."""

import pytest

from firmware_bridges.errors import DeviceRefusedError, DeviceTimeoutError, NotSupportedError
from firmware_bridges.metrics import plant_metrics
from firmware_bridges.modbus import SWITCH
from firmware_bridges.readings import PlantReading
from firmware_bridges.simulators.misbehaviour import Misbehaviour
from firmware_bridges.simulators.plant import SimulatedPdu
from tests.integration.plant.site import opened, reachable


class Rack:
    """Loads behind a PDU that notice when they lose power."""

    def __init__(self, outlets: int) -> None:
        self.powered = dict.fromkeys(range(1, outlets + 1), True)
        self.pdu = SimulatedPdu(outlets, lambda outlet: 3_000.0 + outlet, self._switched)

    def _switched(self, outlet: int, closed: bool) -> None:
        self.powered[outlet] = closed


def states(reading: PlantReading) -> list[object]:
    return [outlet.closed for outlet in reading.outlets]


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_an_outlet_is_opened_and_closed_and_read_back(transport: str) -> None:
    rack = Rack(24)
    async with (
        reachable(transport, {9: rack.pdu}) as where,
        opened(SWITCH, map="metered_pdu_24", unit=9, **where) as pdu,
    ):
        before = await pdu.read()
        assert states(before) == [True] * 24
        assert before.outlets[4].power_w == 3_005.0
        assert before.power_w == 24 * 3_000.0 + sum(range(1, 25))
        await pdu.switch(5, closed=False)
        after = await pdu.read()
        assert after.outlets[4].closed is False
        assert after.outlets[4].power_w == 0.0
        assert after.power_w == before.power_w - 3_005.0
        assert rack.powered == {n: n != 5 for n in range(1, 25)}
        await pdu.switch(5, closed=True)
        assert states(await pdu.read()) == [True] * 24
        assert all(rack.powered.values())


async def test_a_lie_about_success_shows_in_what_is_read_back() -> None:
    rack = Rack(8)
    async with (
        reachable("rtu", {9: rack.pdu}) as where,
        opened(SWITCH, map="waveshare_relay_8", unit=9, **where) as pdu,
    ):
        rack.pdu.script.order(Misbehaviour.LIE, 1)
        await pdu.switch(3, closed=False)
        assert states(await pdu.read()) == [True] * 8
        assert rack.powered[3]


async def test_a_breaker_is_read_by_its_auxiliary_contact() -> None:
    class StuckBreaker(SimulatedPdu):
        def discrete_inputs(self) -> dict[int, bool]:
            return {0: True}

    breaker = StuckBreaker(1, lambda _: 0.0, lambda *_: None)
    async with (
        reachable("rtu", {9: breaker}) as where,
        opened(SWITCH, map="breaker_aux_contact", unit=9, **where) as device,
    ):
        await device.switch(1, closed=False)
        assert breaker.closed == {1: False}
        assert states(await device.read()) == [True]


@pytest.mark.parametrize("outlet", [0, 9, -1])
async def test_an_outlet_that_does_not_exist_is_refused_and_nothing_is_sent(outlet: int) -> None:
    rack = Rack(8)
    async with (
        reachable("rtu", {9: rack.pdu}) as where,
        opened(SWITCH, map="waveshare_relay_8", unit=9, **where) as pdu,
    ):
        with pytest.raises(NotSupportedError, match="1 to 8"):
            await pdu.switch(outlet, closed=True)
    assert rack.pdu.requests == 0


async def test_a_device_with_fewer_outlets_than_its_map_refuses() -> None:
    rack = Rack(4)
    async with (
        reachable("tcp", {9: rack.pdu}) as where,
        opened(SWITCH, map="waveshare_relay_8", unit=9, **where) as pdu,
    ):
        with pytest.raises(DeviceRefusedError) as refused:
            await pdu.switch(8, closed=False)
    assert refused.value.code == 2
    assert all(rack.powered.values())


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_a_write_without_answer_is_a_timeout(transport: str) -> None:
    rack = Rack(8)
    async with (
        reachable(transport, {9: rack.pdu}) as where,
        opened(SWITCH, map="waveshare_relay_8", unit=9, **where, deadline_s=0.3) as pdu,
    ):
        rack.pdu.script.order(Misbehaviour.TIMEOUT)
        with pytest.raises(DeviceTimeoutError):
            await pdu.switch(1, closed=False)


async def test_capabilities_name_outlets_and_what_the_reading_has() -> None:
    rack = Rack(24)
    async with (
        reachable("tcp", {9: rack.pdu}) as where,
        opened(SWITCH, map="metered_pdu_24", unit=9, **where) as pdu,
    ):
        capabilities = await pdu.capabilities()
        reading = await pdu.read()
    assert capabilities.outlets == tuple(range(1, 25))
    assert capabilities.readback
    assert set(capabilities.metrics) <= {metric.name for metric, _ in plant_metrics(reading)}
