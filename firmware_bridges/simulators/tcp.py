"""TCP servers of simulated devices on loopback, with misbehaviour built in."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from firmware_bridges.simulators.misbehaviour import Misbehaviour, Script, distorted

Exchange = Callable[[asyncio.StreamReader], Awaitable[bytes | None]]
"""Reads one request from the connection and gives the reply's bytes; None ends the connection."""


class TcpServer(ABC):
    """Serves connections on 127.0.0.1; `port` is known after `start` (0 picks a free one)."""

    def __init__(self, *, port: int = 0) -> None:
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

    @abstractmethod
    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; whether the connection stays open for another."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self.serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client is gone; a device does not mind
        except asyncio.CancelledError:
            return  # stop() ended this connection; the server's own task must not log it
        finally:
            writer.close()


class TcpSimulator(TcpServer):
    """Serves `exchange`; with `keep_open` a connection serves many requests, otherwise it is closed
    after one."""

    def __init__(
        self, exchange: Exchange, script: Script, *, port: int = 0, keep_open: bool = False
    ) -> None:
        super().__init__(port=port)
        self._exchange = exchange
        self._script = script
        self._keep_open = keep_open

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request, unless the device is gone."""
        if self._script.current is Misbehaviour.REBOOT:
            return False
        reply = await self._exchange(reader)
        if reply is None:
            return False
        misbehaviour = self._script.take()
        if misbehaviour is Misbehaviour.TIMEOUT:
            await reader.read()  # until the client gives up
            return False
        writer.write(distorted(reply, misbehaviour))
        await writer.drain()
        return self._keep_open and misbehaviour is not Misbehaviour.CUT_OFF
