"""An RS-485 line of simulated slaves on a pseudo-terminal."""

import asyncio
from collections.abc import Mapping

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from firmware_bridges.simulators.misbehaviour import Misbehaviour, distorted
from firmware_bridges.simulators.plant.pty_port import PtyPort
from firmware_bridges.simulators.plant.slave import SimulatedSlave

_FRAMER = FramerRTU(DecodePDU(is_server=True))
_STALE_S = 0.5


class RtuLine:
    """Slaves by their unit; `path` is the serial port, after `start`.

    A unit without a slave stays silent, as on a real line.
    """

    def __init__(self, slaves: Mapping[int, SimulatedSlave]) -> None:
        self._slaves = slaves
        self._port = PtyPort(self._received)
        self._pending = b""
        self._received_s = 0.0
        self._delayed: set[asyncio.TimerHandle] = set()

    @property
    def path(self) -> str:
        """What the host opens."""
        return self._port.path

    async def start(self) -> None:
        """Plugs the line in."""
        self._port.start()

    async def stop(self) -> None:
        """Unplugs it."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
        self._port.stop()

    def _received(self, data: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._received_s > _STALE_S:
            self._pending = b""  # a frame that was never finished
        self._received_s = now_s
        self._pending += data
        used, unit, _, pdu = _FRAMER.decode(self._pending)
        self._pending = self._pending[used:]
        slave = self._slaves.get(unit)
        if pdu and slave is not None:
            self._answer(slave, unit, pdu)

    def _answer(self, slave: SimulatedSlave, unit: int, pdu: bytes) -> None:
        reply, misbehaviour = slave.answer(pdu)
        if misbehaviour in {Misbehaviour.TIMEOUT, Misbehaviour.REBOOT}:
            return
        frame = distorted(_FRAMER.encode(reply, unit, 0), misbehaviour)
        if slave.reply_delay_s <= 0:
            self._port.send(frame)
            return
        loop = asyncio.get_running_loop()
        handle = loop.call_later(slave.reply_delay_s, self._port.send, frame)
        self._delayed = {one for one in self._delayed if one.when() > loop.time()} | {handle}
