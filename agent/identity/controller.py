"""The controller's enrolment interface over HTTPS: TLS 1.3, the authority pinned, all bounded."""

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from agent.identity.errors import ForeignControllerError, RefusedError, UnreachableError
from shared.enrolment import EnrolmentToken
from shared.errors import BadInputError
from shared.host.tls import client_context
from shared.host.tracing import SpanKind, outgoing, span
from shared.identity.renewal import Challenge

PATH = "/api/v1/enrolment"
_ANSWER_WITHIN_S = 30.0
_MOST_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: the status, the JSON object, the controller's clock where it tells."""

    status: int
    data: Mapping[str, Any]
    date: datetime | None

    def text(self, *keys: str) -> str:
        """A text of the answer; `UnreachableError` when it is not there."""
        value: Any = self.data
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if not isinstance(value, str):
            raise UnreachableError(f"the controller's answer has no {'.'.join(keys)}")
        return value


def check_url(url: str) -> str:
    """The controller's address without what may follow it; `BadInputError` unless HTTPS."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        raise BadInputError("url", repr(url)[:100], "https://HOST[:PORT]")
    if parts.path not in {"", "/"} or parts.fragment:
        raise BadInputError("url", repr(url)[:100], "https://HOST[:PORT], without a path")
    return f"https://{parts.netloc}"


def pinned_context(roots_pem: bytes) -> ssl.SSLContext:
    """TLS 1.3 with these roots and no others, the controller's name checked."""
    return client_context(roots_pem=roots_pem)


def unverified_context() -> ssl.SSLContext:
    """For the first question only, whose answer is compared with the fingerprint: no secret may
    travel over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Controller:
    """A client of the interface; an async context manager.

    Every call raises `UnreachableError` when there is no proper answer in time,
    `ForeignControllerError` when TLS does not find the pinned authority, and `RefusedError` when
    the controller says no.
    """

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._url = check_url(url)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def trust(self) -> Answer:
        """The authorities that the controller offers."""
        return await self._ask("GET", "/trust", None)

    async def join(self, token: EnrolmentToken, request_pem: str) -> Answer:
        """Presents the token; status 202 is to be asked again."""
        return await self._ask("POST", "/join", {"token": token.text, "request": request_pem})

    async def challenge(self) -> Challenge:
        """What to sign for a renewal."""
        answer = await self._ask("POST", "/challenge", {})
        issued_ms = answer.data.get("issued_ms")
        if not isinstance(issued_ms, int):
            raise UnreachableError("the controller's answer has no issued_ms")
        try:
            return Challenge(base64.b64decode(answer.text("nonce"), validate=True), issued_ms)
        except ValueError as error:
            raise UnreachableError(f"the controller's challenge: {error}") from error

    async def renew(
        self, certificate_pem: str, request_pem: str, challenge: Challenge, proof: bytes
    ) -> Answer:
        """Asks for the next certificate."""
        body = {
            "certificate": certificate_pem,
            "request": request_pem,
            "nonce": base64.b64encode(challenge.nonce).decode(),
            "issued_ms": challenge.issued_ms,
            "proof": base64.b64encode(proof).decode(),
        }
        return await self._ask("POST", "/renew", body)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        try:
            with span(f"{method} {PATH}{path}", SpanKind.CLIENT):
                return await self._exchange(method, path, body)
        except aiohttp.ClientConnectorCertificateError as error:
            raise ForeignControllerError(
                f"{self._url} does not prove to be the controller that was pinned: "
                f"{error.certificate_error}"
            ) from error
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise UnreachableError(f"{self._url}: {str(error) or 'no answer in time'}") from error

    async def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        async with self._session.request(
            method,
            f"{self._url}{PATH}{path}",
            json=body,
            headers=outgoing(),
            allow_redirects=False,
        ) as response:
            content = await _bounded(response.content)
            return _judged(response.status, content, response.headers.get("Date"))


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for part in stream.iter_chunked(65_536):
        content += part
        if len(content) > _MOST_BYTES:
            raise UnreachableError(f"an answer of more than {_MOST_BYTES} bytes")
    return bytes(content)


def _judged(status: int, content: bytes, date: str | None) -> Answer:
    try:
        data = json.loads(content)
    except ValueError as error:
        raise UnreachableError(f"HTTP {status}, and no JSON") from error
    if not isinstance(data, dict):
        raise UnreachableError(f"HTTP {status}, and no JSON object")
    if status in {200, 202}:
        return Answer(status, data, _parsed(date))
    detail = str(data.get("detail", ""))[:300]
    if status in {403, 409, 413, 422}:
        raise RefusedError(detail or f"HTTP {status}")
    raise UnreachableError(f"HTTP {status}: {detail}")


def _parsed(date: str | None) -> datetime | None:
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return None
