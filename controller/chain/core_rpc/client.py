"""One JSON-RPC call to Bitcoin Core: cookie, deadline, retry, circuit breaker.

The protocol as Core serves it at `/` (its doc/JSON-RPC-interface.md), in the 1.1 form that every
version answers: an error comes with HTTP status 500 or 404 and a JSON body.
"""

import itertools
import json
import ssl
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import stamina
from httpx2 import BasicAuth, Client, ConnectError, ConnectTimeout, HTTPError, Limits, Timeout
from pybreaker import CircuitBreaker, CircuitBreakerError

from controller.chain.core_rpc.config import CoreRpcConfig
from controller.chain.errors import (
    NodeNotTriedError,
    NodeRefusedError,
    NodeUnreachableError,
)
from shared.errors import BadInputError
from shared.host.tls import client_context
from shared.host.tracing import SpanKind, span
from shared.secret import Secret

_MAX_COOKIE_BYTES = 1_024
_MAX_ANSWER_BYTES = 96 << 20  # a full block in hex, twice, with its JSON around it
_UNAUTHORISED = 401
_WITH_BODY = frozenset({200, 404, 500})
_IN_WARMUP = -28


class _RefusedCookieError(NodeUnreachableError):
    """The node does not take the cookie: it was started anew, or another's file is configured."""


class CoreRpcClient:
    """Calls methods by name. Thread-safe. Follows no redirect, uses no proxy, bounds the answer.

    What never reached the node is tried again at once, within the deadline; a call cut off later is
    not, and `NodeUnreachableError` leaves open whether it was carried out.
    """

    def __init__(self, config: CoreRpcConfig) -> None:
        self._url = config.url
        self._cookie_file = config.cookie_file
        self._cookie: Secret | None = None
        self._timeout_s = config.timeout_s
        self._numbers = itertools.count(1)
        self._breaker = CircuitBreaker(
            fail_max=config.breaker_failures,
            reset_timeout=config.breaker_reset_s,
            exclude=[NodeRefusedError],
            throw_new_error_on_trip=False,
            name="bitcoin core",
        )
        self._client = Client(
            verify=_tls(config.url),
            timeout=Timeout(config.timeout_s),
            follow_redirects=False,
            trust_env=False,
            limits=Limits(max_connections=8, max_keepalive_connections=4),
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def call(self, method: str, *params: object) -> Any:
        """The result; numbers with a fraction are Decimal.

        `NodeRefusedError` with Core's code, `NodeUnreachableError`, `NodeNotTriedError`.
        """
        try:
            # not `call`, which would hold the breaker's lock and let one caller through at a time
            with span(f"bitcoin core {method}", SpanKind.CLIENT), self._breaker.calling():
                return self._authorised(method, params)
        except CircuitBreakerError as error:
            raise NodeNotTriedError(str(error)) from error

    def _authorised(self, method: str, params: tuple[object, ...]) -> Any:
        cookie = self._cookie
        if cookie is not None:
            try:
                return self._within_deadline(method, params, cookie)
            except _RefusedCookieError:
                self._cookie = None
        cookie = load_cookie(self._cookie_file)
        result = self._within_deadline(method, params, cookie)
        self._cookie = cookie
        return result

    def _within_deadline(self, method: str, params: tuple[object, ...], cookie: Secret) -> Any:
        body = json.dumps(
            {"jsonrpc": "1.1", "id": next(self._numbers), "method": method, "params": params}
        ).encode()
        try:
            for attempt in stamina.retry_context(
                on=(ConnectError, ConnectTimeout), attempts=3, timeout=self._timeout_s, wait_max=1.0
            ):
                with attempt:
                    status, content = self._once(body, cookie)
        except HTTPError as error:
            raise NodeUnreachableError(f"{method}: {type(error).__name__}: {error}") from error
        return _result(method, status, content)

    def _once(self, body: bytes, cookie: Secret) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_s
        user, _, password = cookie.reveal_text().partition(":")
        headers = {"content-type": "application/json"}
        with self._client.stream(
            "POST", self._url, content=body, headers=headers, auth=BasicAuth(user, password)
        ) as answer:
            content = bytearray()
            for chunk in answer.iter_raw():
                content += chunk
                if len(content) > _MAX_ANSWER_BYTES:
                    raise NodeUnreachableError(f"an answer above {_MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise NodeUnreachableError(f"no whole answer within {self._timeout_s} s")
            return answer.status_code, bytes(content)


def _tls(url: str) -> ssl.SSLContext:
    """The system's authorities where TLS is used; none are read for plain http on loopback."""
    if url.startswith("https:"):
        return client_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def load_cookie(path: Path) -> Secret:
    """`user:password` as the node wrote it; `NodeUnreachableError` where there is none to read.

    The node makes the file at its start and deletes it at its end. `BadInputError`, which does not
    repeat it, where the content is something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_COOKIE_BYTES).decode("ascii").strip()
    except OSError as error:
        raise NodeUnreachableError(f"{path}: {error.strerror}: is the node running?") from error
    except UnicodeDecodeError:
        text = ""
    user, colon, password = text.partition(":")
    if not user or not colon or not password or any(one.isspace() for one in text):
        raise BadInputError("bitcoin_core.cookie_file", "malformed", "user:password on one line")
    return Secret.of_text(text)


def _result(method: str, status: int, content: bytes) -> Any:
    if status == _UNAUTHORISED:
        raise _RefusedCookieError(f"{method}: the node refuses the cookie")
    if status not in _WITH_BODY:
        raise NodeUnreachableError(f"{method}: the node answers {status}")
    try:
        answer = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise NodeUnreachableError(f"{method}: no JSON in the answer") from error
    if not isinstance(answer, dict) or "result" not in answer:
        raise NodeUnreachableError(f"{method}: no result in the answer")
    problem = answer.get("error")
    if problem is None:
        return answer["result"]
    code = problem.get("code") if isinstance(problem, dict) else None
    message = problem.get("message") if isinstance(problem, dict) else None
    if not isinstance(code, int) or not isinstance(message, str):
        raise NodeUnreachableError(f"{method}: an error without code and message")
    if code == _IN_WARMUP:
        raise NodeUnreachableError(f"the node is starting: {message}")
    raise NodeRefusedError(method, code, message)
