"""A trace id for every request: bound to each log line, told in the answer."""

import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.logs import trace_of, traced

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
                told = [*message.get("headers", []), (HEADER, trace.encode())]
                message = {**message, "headers": told}
            await send(message)

        with traced(trace_of(offered)) as trace:
            try:
                await self._app(scope, receive, send_traced)
            except Exception:
                status = status or HTTPStatus.INTERNAL_SERVER_ERROR  # which is answered outside
                _log.exception("a request failed")
                raise
            finally:
                if scope["type"] == "http":
                    _log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"][:_MAX_PATH],
                        status=int(status),
                        took_ms=round((time.monotonic() - began_s) * 1_000),
                    )
