"""An HTTP server (aiohttp) on loopback with misbehaviour built in."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from firmware_bridges.simulators.misbehaviour import GARBAGE, Misbehaviour, Script

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebSimulator:
    """Serves `routes` on 127.0.0.1; `port` is known after `start` (0 picks a free one)."""

    def __init__(self, routes: list[web.RouteDef], script: Script, *, port: int = 0) -> None:
        self._routes = routes
        self._script = script
        self._runner: web.AppRunner | None = None
        self.host = "127.0.0.1"
        self.port = port

    async def start(self) -> None:
        """Begins to listen."""
        application = web.Application(middlewares=[self._misbehave])
        application.add_routes(self._routes)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends listening and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        transport = request.transport
        if self._script.current is Misbehaviour.REBOOT and transport is not None:
            transport.abort()
            raise web.HTTPServiceUnavailable
        misbehaviour = self._script.take()
        if misbehaviour is Misbehaviour.TIMEOUT:
            await asyncio.sleep(3_600)
        response = await handler(request)
        if misbehaviour is Misbehaviour.GARBAGE:
            return web.Response(body=GARBAGE, content_type="application/octet-stream")
        if misbehaviour is Misbehaviour.CUT_OFF and transport is not None:
            transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"cut": ')
            transport.close()
        return response
