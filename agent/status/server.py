"""Serves the report on loopback: `/`, `/status.json`, `/metrics`, `/healthz`, `/style.css`."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from agent.status import metrics
from agent.status.page import STYLE, render
from agent.status.report import StatusReport
from shared.addresses import is_loopback

Look = Callable[[], Awaitable[StatusReport]]
Healthy = Callable[[], str | None]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def status_app(look: Look, why_unhealthy: Healthy, role: CollectorRegistry) -> web.Application:
    """The application: `look` makes a report, `why_unhealthy` names what is wrong, if anything,
    `role` has the role's own measurements."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=render(await look()), content_type="text/html")

    async def status(_request: web.Request) -> web.Response:
        return web.json_response((await look()).to_data())

    async def prometheus(_request: web.Request) -> web.Response:
        body = metrics.exposition(await look(), role)
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def health(_request: web.Request) -> web.Response:
        problem = why_unhealthy()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css")

    app = web.Application(middlewares=[_with_headers, _only_local])
    app.router.add_get("/", page)
    app.router.add_get("/status.json", status)
    app.router.add_get("/metrics", prometheus)
    app.router.add_get("/healthz", health)
    app.router.add_get("/style.css", style)
    return app


@web.middleware
async def _with_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    response.headers.update(_HEADERS)
    return response


@web.middleware
async def _only_local(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuses requests under a foreign name, which a page elsewhere can make a browser send."""
    if not is_local(request.host):
        return web.Response(text="only by a loopback name\n", status=421)
    return await handler(request)


def is_local(host: str) -> bool:
    """Whether a Host header names loopback. Pure."""
    bracketed = host.startswith("[")
    name = host[1:].partition("]")[0] if bracketed else host.partition(":")[0]
    return is_loopback(name)


class StatusServer:
    """The running server."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self.host = host
        self.port = port

    @classmethod
    async def start(cls, app: web.Application, host: str, port: int) -> "StatusServer":
        """Listens; port 0 takes a free one. Raises `OSError` when it cannot."""
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            bound = runner.addresses[0][1]
        except OSError:
            await runner.cleanup()
            raise
        return cls(runner, host, bound)

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def write_address(self, file: Path) -> None:
        """Writes the address where `bes agent status` finds it, whole or not at all."""
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{self.url}\n", encoding="utf-8")
        fresh.replace(file)

    async def stop(self) -> None:
        """Ends it."""
        await self._runner.cleanup()
