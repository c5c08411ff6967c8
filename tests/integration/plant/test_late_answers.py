"""Answers that come when nobody waits for them any more, on a real pseudo-terminal."""

from collections.abc import AsyncIterator

import pytest
from pymodbus.framer import FramerRTU

from firmware_bridges.errors import DeviceTimeoutError
from firmware_bridges.modbus import SWITCH
from firmware_bridges.simulators.plant.pty_port import PtyPort
from tests.integration.plant.site import arrived, opened

ALL_CLOSED, ALL_OPEN = 0xFF, 0x00


def states(unit: int, bits: int) -> bytes:
    """A reply to "read eight coils"."""
    body = bytes([unit, 0x01, 1, bits])
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class Wire:
    """Sends what the test laid out for the next request to a unit."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes] = {}
        self.port = PtyPort(self._asked)

    def _asked(self, frame: bytes) -> None:
        self.port.send(self.answers.get(frame[0], b""))


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    wire.port.start()
    yield wire
    wire.port.stop()


async def test_a_late_answer_is_never_taken_for_the_neighbour_s(wire: Wire) -> None:
    wire.answers[2] = states(1, ALL_CLOSED) + states(2, ALL_OPEN)
    where = {"map": "waveshare_relay_8", "serial_port": wire.port.path}
    async with (
        opened(SWITCH, unit=1, deadline_s=0.2, **where) as late,
        opened(SWITCH, unit=2, **where) as prompt,
    ):
        with pytest.raises(DeviceTimeoutError):
            await late.read()
        reading = await prompt.read()
    assert [outlet.closed for outlet in reading.outlets] == [False] * 8


async def test_a_late_answer_does_not_answer_the_same_slave_s_next_request(wire: Wire) -> None:
    where = {"map": "waveshare_relay_8", "serial_port": wire.port.path}
    async with opened(SWITCH, unit=1, **where) as device:
        wire.answers[1] = states(1, ALL_OPEN)
        await device.read()
        late = states(1, ALL_CLOSED)
        wire.port.send(late)
        await arrived(wire.port.path, len(late))
        reading = await device.read()
    assert [outlet.closed for outlet in reading.outlets] == [False] * 8


async def test_an_answer_in_pieces_among_noise_is_read(wire: Wire) -> None:
    frame = states(1, 0b0000_0101)
    wire.answers[1] = b"\x00\xfe" + frame
    async with opened(
        SWITCH, unit=1, map="waveshare_relay_8", serial_port=wire.port.path
    ) as device:
        reading = await device.read()
    assert [outlet.closed for outlet in reading.outlets] == [True, False, True] + [False] * 5
