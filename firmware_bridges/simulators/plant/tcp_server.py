"""A Modbus TCP server on loopback for simulated slaves."""

import asyncio
from collections.abc import Mapping

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from firmware_bridges.simulators.misbehaviour import Misbehaviour, distorted
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from firmware_bridges.simulators.tcp import TcpServer

_FRAMER = FramerSocket(DecodePDU(is_server=True))
_HEADER = 7
_MOST_LENGTH = 254
_TARGET_SILENT = 0x0B


class ModbusTcpServer(TcpServer):
    """Serves slaves by their unit. A unit without a slave is answered like a gateway does:
    exception 0x0B."""

    def __init__(self, slaves: Mapping[int, SimulatedSlave], *, port: int = 0) -> None:
        super().__init__(port=port)
        self._slaves = slaves

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One frame; one that is no Modbus ends the connection."""
        header = await reader.readexactly(_HEADER)
        length = int.from_bytes(header[4:6], "big")
        if header[2:4] != b"\0\0" or not 2 <= length <= _MOST_LENGTH:
            return False
        pdu = await reader.readexactly(length - 1)
        slave = self._slaves.get(header[6])
        if slave is None:
            reply, misbehaviour = bytes([pdu[0] | 0x80, _TARGET_SILENT]), None
        else:
            reply, misbehaviour = slave.answer(pdu)
            await asyncio.sleep(slave.reply_delay_s)
        if misbehaviour is Misbehaviour.TIMEOUT:
            return True
        if misbehaviour is Misbehaviour.REBOOT:
            return False
        frame = _FRAMER.encode(reply, header[6], int.from_bytes(header[:2], "big"))
        writer.write(distorted(frame, misbehaviour))
        await writer.drain()
        return misbehaviour is not Misbehaviour.CUT_OFF
