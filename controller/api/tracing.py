"""A span for every request: its trace bound to each log line and told in the answer."""

import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.host.tracing import Span, SpanKind, place_of, span

HEADER = b"trace-id"
_MAX_PATH = 200
_log = structlog.get_logger()


class TracedRequests:
    """The outermost middleware. A `traceparent` of the client's (W3C Trace Context) is gone on
    with; the header `Trace-Id` of the answer names what to look for in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        offered = headers.get(b"traceparent", b"").decode("latin-1")
        began_s = time.monotonic()
        status = 0

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = [*message.get("headers", []), (HEADER, work.place.trace.encode())]
                message = {**message, "headers": told}
            await send(message)

        with span("request", SpanKind.SERVER, within=place_of(offered)) as work:
            try:
                await self._app(scope, receive, send_traced)
            except Exception:
                status = status or HTTPStatus.INTERNAL_SERVER_ERROR  # which is answered outside
                _log.exception("a request failed")
                raise
            finally:
                _describe(work, scope, int(status))
                if scope["type"] == "http":
                    _log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"][:_MAX_PATH],
                        status=int(status),
                        took_ms=round((time.monotonic() - began_s) * 1_000),
                    )


def _describe(work: Span, scope: Scope, status: int) -> None:
    """After OpenTelemetry's conventions: the name has the route, never what was asked for in it.
    (https://opentelemetry.io/docs/specs/semconv/http/http-spans/)"""
    method = scope.get("method", "WEBSOCKET")
    route = _route(scope)
    work.name = f"{method} {route}" if route else method
    work.attributes["http.request.method"] = method
    work.attributes["http.response.status_code"] = status
    if route:
        work.attributes["http.route"] = route
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and work.error is None:
        work.error = str(status)


def _route(scope: Scope) -> str | None:
    """The path with its parameters unfilled. A route knows its own part of it only; what stands
    before is of the routers that include it, which have no parameters here."""
    template = getattr(scope.get("route"), "path_format", None)
    if not isinstance(template, str):
        return None
    asked, path = template.format(**scope.get("path_params", {})), str(scope["path"])
    return path.removesuffix(asked) + template if path.endswith(asked) else template
