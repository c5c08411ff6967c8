"""Limits of a listener: the size of a body, the time it may take, the time for headers.

`RequestLimits` is ASGI: a body that is too large gets 413 before it is read where it says so, and
as soon as it is otherwise; one that does not come in time gets 408. `BoundedProtocol` is uvicorn's
HTTP/1.1 protocol with a deadline for the headers of each request (slow loris) and one for a reader
to take what is sent to it; uvicorn itself limits the headers' size and the number of connections.
"""

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.api.problems import MEDIA_TYPE, Problem
from controller.config import HttpConfig


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """At most `bytes` within `seconds` from the request's headers on."""

    bytes: int
    seconds: float


def limits_of(config: HttpConfig) -> BodyLimits:
    """The configured ones."""
    return BodyLimits(config.max_body_bytes, config.body_s)


def listener_limits(config: HttpConfig) -> dict[str, Any]:
    """What `uvicorn.Config` takes of the limits, and whose word on addresses is believed."""
    return {
        "http": bounded_protocol(config.header_s, config.unread_s),
        "h11_max_incomplete_event_size": config.max_header_bytes,
        "limit_concurrency": config.max_connections,
        "timeout_keep_alive": 15,
        "ws_max_size": 4_096,
        "proxy_headers": bool(config.trusted_proxies),
        "forwarded_allow_ips": list(config.trusted_proxies),
    }


class _TooLargeError(Exception):
    pass


class _TooSlowError(Exception):
    pass


class RequestLimits:
    """Refuses bodies that are too large or too slow, and addresses with a NUL character."""

    def __init__(self, app: ASGIApp, limits: BodyLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limits.bytes:
            await _refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:  # no database text has it
            detail = "the address has a NUL character"
            await _refuse(send, HTTPStatus.UNPROCESSABLE_ENTITY, detail)
            return
        bounded = _BoundedBody(receive, self._limits)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if bounded.refused is not None:
                return  # the application answers what it made of the missing body
            started = True
            await send(message)

        try:
            await self._app(scope, bounded.receive, watched)
        except (_TooLargeError, _TooSlowError):
            if bounded.refused is None:
                raise
        if bounded.refused is not None and not started:
            slow = bounded.refused is HTTPStatus.REQUEST_TIMEOUT
            text = self._too_slow if slow else self._too_large
            await _refuse(send, bounded.refused, text)

    @property
    def _too_large(self) -> str:
        return f"a body has at most {self._limits.bytes} bytes"

    @property
    def _too_slow(self) -> str:
        return f"a body comes within {self._limits.seconds:g} seconds"


class _BoundedBody:
    """`receive` of one request; `refused` once its body broke a limit."""

    def __init__(self, receive: Receive, limits: BodyLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._left = limits.bytes
        self._until_s = asyncio.get_running_loop().time() + limits.seconds
        self._whole = False
        self.refused: HTTPStatus | None = None

    async def receive(self) -> Message:
        if self._whole:  # what comes now is that the client went away, at any time
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until_s):
                message = await self._receive()
        except TimeoutError as error:
            self.refused = HTTPStatus.REQUEST_TIMEOUT
            raise _TooSlowError from error
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                self.refused = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                raise _TooLargeError
        return message


async def _refuse(send: Send, status: HTTPStatus, detail: str) -> None:
    problem = Problem(title=status.phrase, status=status, detail=detail)
    body = json.dumps(problem.model_dump()).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


class BoundedProtocol(H11Protocol):
    """Drops a connection whose request's headers do not come in time, or whose reader does not take
    what was sent to it: neither keeps one of the listener's few connections."""

    header_s = 10.0
    unread_s = 30.0
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it
        # A pause for whatever is not yet taken; of a TLS transport 0 would pause what has nothing.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self._is_serving():
            self._await_headers()
        super().data_received(data)
        if self._is_serving():
            self._headers_came()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._was_read()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: object) -> None:
        self._headers_came()
        self.transport.set_write_buffer_limits()  # the WebSocket's own pings find a dead reader
        super().handle_websocket_upgrade(event)  # type: ignore[arg-type]  # h11 has no types

    def pause_writing(self) -> None:
        """Also a transport that is being closed waits for its buffer to be taken, for ever if it is
        let."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._was_read()

    def _is_serving(self) -> bool:
        cycle = vars(self)["cycle"]  # None before the first request, whatever its type says
        return cycle is not None and not cycle.response_complete

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.header_s, self.transport.close)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def bounded_protocol(header_s: float, unread_s: float) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=...)`, with these deadlines."""
    limits = {"header_s": header_s, "unread_s": unread_s}
    return type("BoundedProtocol", (BoundedProtocol,), limits)
