"""Modbus TCP: one connection, opened when needed, closed after any failure."""

import asyncio

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from firmware_bridges.errors import (
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
)
from firmware_bridges.modbus.requests import Request, function_code, request_pdu

_FRAMER = FramerSocket(DecodePDU(is_server=False))
_HEADER = 7
_MOST_LENGTH = 254
"""Unit and PDU (Modbus Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3)."""
_MOST_STALE = 8

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class TcpLink:
    """A `Link` over TCP; MBAP transaction numbers tell late replies from the one awaited."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._connection: Connection | None = None
        self._transaction = 0

    async def exchange(self, unit: int, request: Request, until_s: float) -> bytes:
        """See `Link.exchange`."""
        finished = False
        try:
            async with asyncio.timeout_at(until_s):
                reader, writer = await self._connected()
                self._transaction = self._transaction % 0xFFFF + 1
                writer.write(_FRAMER.encode(request_pdu(request), unit, self._transaction))
                await writer.drain()
                pdu = await self._reply(reader, unit, request)
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self._where} unit {unit}: no reply in time") from error
        except asyncio.IncompleteReadError as error:
            raise DeviceUnreachableError(f"{self._where} closed the connection") from error
        except OSError as error:
            raise DeviceUnreachableError(f"{self._where}: {error}") from error
        else:
            finished = True
            return pdu
        finally:
            if not finished:
                self.close()

    def close(self) -> None:
        """See `Link.close`."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    @property
    def _where(self) -> str:
        return f"{self._host}:{self._port}"

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection[0].at_eof():
            self.close()  # the device hung up since
        if self._connection is None:
            self._connection = await asyncio.open_connection(self._host, self._port)
        return self._connection

    async def _reply(self, reader: asyncio.StreamReader, unit: int, request: Request) -> bytes:
        code = function_code(request)
        for _ in range(_MOST_STALE):
            header = await reader.readexactly(_HEADER)
            protocol = int.from_bytes(header[2:4], "big")
            length = int.from_bytes(header[4:6], "big")
            if protocol != 0 or not 2 <= length <= _MOST_LENGTH:
                raise MalformedReplyError(f"{self._where}: no MBAP header: {header.hex()}")
            pdu = await reader.readexactly(length - 1)
            if int.from_bytes(header[0:2], "big") != self._transaction:
                continue
            if header[6] != unit or pdu[0] & 0x7F != code:
                raise MalformedReplyError(
                    f"{self._where}: unit {header[6]} function {pdu[0]:#04x} "
                    f"instead of unit {unit} function {code:#04x}"
                )
            return pdu
        raise MalformedReplyError(f"{self._where}: only replies to other transactions")
