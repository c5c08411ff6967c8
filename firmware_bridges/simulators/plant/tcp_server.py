"""A Modbus TCP server on loopback for simulated slaves."""

import asyncio
from collections.abc import Mapping

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from firmware_bridges.simulators.misbehaviour import Misbehaviour
from firmware_bridges.simulators.plant.slave import SimulatedSlave
from firmware_bridges.simulators.tcp import GARBAGE

_FRAMER = FramerSocket(DecodePDU(is_server=True))
_HEADER = 7
_MOST_LENGTH = 254
_TARGET_SILENT = 0x0B


class ModbusTcpServer:
    """Serves slaves by their unit; `port` is known after `start` (0 picks a free one).

    A unit without a slave is answered like a gateway does: exception 0x0B.
    """

    def __init__(self, slaves: Mapping[int, SimulatedSlave], *, port: int = 0) -> None:
        self._slaves = slaves
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.host = "127.0.0.1"
        self.port = port

    async def start(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends listening and every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client is gone, or stop() ended the connection
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
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
        frame = _FRAMER.encode(reply, header[6], int.from_bytes(header[:2], "big"))
        match misbehaviour:
            case Misbehaviour.TIMEOUT:
                return True
            case Misbehaviour.REBOOT:
                return False
            case Misbehaviour.CUT_OFF:
                writer.write(frame[: len(frame) // 2])
                await writer.drain()
                return False
            case Misbehaviour.GARBAGE:
                frame = GARBAGE
            case _:
                pass
        writer.write(frame)
        await writer.drain()
        return True
