"""The WAN between the agent and the broker: a TCP relay that can be cut or go silent."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
HOST = "127.0.0.1"
_PATIENCE_S = 30.0


class EventLoopThread:
    """An event loop of its own, for servers that a test drives from outside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it there and waits for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def close(self) -> None:
        """Cancels what is left and ends the loop."""
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Link:
    """Relays to `target_port` on 127.0.0.1. Use `cut`, `silence` and `mend` from any thread."""

    def __init__(self, loop: EventLoopThread, target_port: int) -> None:
        self._loop = loop
        self._target_port = target_port
        self._open = asyncio.Event()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = loop.run(self._start())

    def cut(self) -> None:
        """Ends every connection and lets none through."""
        self._loop.run(self._cut())

    def silence(self) -> None:
        """Connections stay, and nothing passes."""
        self._loop.run(self._silence())

    def mend(self) -> None:
        """All is well again; what was held back passes now."""
        self._loop.run(self._mend())

    async def _start(self) -> int:
        self._open.set()
        server = await asyncio.start_server(self._relay, HOST, 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _cut(self) -> None:
        self._refusing = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _silence(self) -> None:
        self._open.clear()

    async def _mend(self) -> None:
        self._refusing = False
        self._open.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
