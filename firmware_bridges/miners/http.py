"""HTTP to one device: bounded in time and size, every failure a `DeviceError`.

Used by the families that speak REST, GraphQL or CGI. One `HttpDevice` a device, with a session (and
its cookies) of its own, opened at the first request.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from firmware_bridges.errors import (
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DeviceUnreachableError,
    MalformedReplyError,
    NotAuthorisedError,
)

MAX_BODY_BYTES = 1024 * 1024
_CONNECTIONS = 2  # control boards are weak; two requests at a time is what their own pages make
_KEEP_ALIVE_S = 5.0  # shorter than a poll interval: a write never meets a connection gone stale


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer with a status below 300 (400 to a form). Header names are as
    sent; look-ups ignore case. `cookies` names those it sets; the session keeps them."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    cookies: frozenset[str] = frozenset()

    def json(self, what: str) -> Any:
        """The body as JSON; `MalformedReplyError` naming `what` when it is none."""
        return parse_json(self.body, what)


def parse_json(body: bytes, what: str) -> Any:
    """Strict JSON (no NaN, no infinities) of `body`; `MalformedReplyError` naming `what`."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedReplyError(f"{what}: not JSON ({error})"[:160]) from error


def status_error(status: int, what: str, body: bytes) -> DeviceError:
    """The error for an HTTP status of 300 and above; the status is its code."""
    said = body[:120].decode("utf-8", "replace").strip()
    message = f"{what}: HTTP {status}" + (f" ({said})" if said else "")
    if status in {401, 403}:
        return NotAuthorisedError(message, status)
    return DeviceRefusedError(message, status)


class HttpDevice:
    """Requests to `host:port`, each within `deadline_s` (or the deadline given with it).

    `middlewares` are aiohttp client middlewares (`aiohttp.DigestAuthMiddleware` for CGI).
    Redirects are not followed. A cancelled request leaves the object usable.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        deadline_s: float,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    ) -> None:
        self._base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._deadline_s = deadline_s
        self._middlewares = tuple(middlewares)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
    ) -> HttpReply:
        """Sends one request; `path` begins with "/" and may carry a query. A redirect is an error.
        A `json_body` of None sends no body.

        Raises `DeviceTimeoutError`, `DeviceUnreachableError` (refused, reset, cut off),
        `MalformedReplyError` (not HTTP, or a body above 1 MiB), `NotAuthorisedError` (401, 403),
        `DeviceRefusedError` (any other status from 300 on, its code the status).
        """
        data: bytes | None = None
        if json_body is not None:
            data = json.dumps(json_body, separators=(",", ":")).encode()
            headers = {**(headers or {}), "Content-Type": "application/json"}
        reply = await self._within(deadline_s, method, path, data, headers)
        if reply.status >= 300:
            raise status_error(reply.status, f"{method} {path}", reply.body)
        return reply

    async def submit_form(
        self, path: str, form: Mapping[str, str], *, deadline_s: float | None = None
    ) -> HttpReply:
        """Posts a form as a browser does. A redirect is an answer: a login sets its cookie with
        one. Raises as `request` does, for a status from 400 on."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        data = urlencode(form).encode()
        reply = await self._within(deadline_s, "POST", path, data, headers)
        if reply.status >= 400:
            raise status_error(reply.status, f"POST {path}", reply.body)
        return reply

    async def _within(
        self,
        deadline_s: float | None,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> HttpReply:
        what = f"{method} {path}"
        within_s = self._deadline_s if deadline_s is None else deadline_s
        try:
            async with asyncio.timeout(within_s):
                return await self._exchange(method, path, data, headers)
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{what}: no answer within {within_s:g} s") from error
        except aiohttp.ClientResponseError as error:
            raise MalformedReplyError(f"{what}: not HTTP ({error.message})"[:160]) from error
        except aiohttp.InvalidURL as error:
            raise DeviceUnreachableError(f"{what}: no such address") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DeviceUnreachableError(f"{what}: {error!r}"[:160]) from error

    async def request_json(
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
    ) -> Any:
        """`request` whose answer is JSON."""
        reply = await self.request(
            method, path, json_body=json_body, headers=headers, deadline_s=deadline_s
        )
        return reply.json(f"{method} {path}")

    async def close(self) -> None:
        """Ends the session; never raises. The next request opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S, use_dns_cache=False
                ),
                cookie_jar=aiohttp.CookieJar(unsafe=True),  # devices are known by IP address
                timeout=aiohttp.ClientTimeout(total=None),
                middlewares=self._middlewares,
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def _exchange(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> HttpReply:
        async with self._opened().request(
            method, self._base + path, data=data, headers=headers, allow_redirects=False
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise MalformedReplyError(f"{method} {path}: a body above {MAX_BODY_BYTES} B")
            cookies = frozenset(response.cookies)
            return HttpReply(response.status, bytes(body), response.headers, cookies)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
