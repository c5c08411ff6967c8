"""One message to the company's receiver, signed after Standard Webhooks 1.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the
headers webhook-id, webhook-timestamp (seconds) and webhook-signature (`v1,` and base64 of
HMAC-SHA256 over ID.TIMESTAMP.BODY). A receiver refuses old timestamps and ids it has seen.
"""

import base64
import binascii
import hmac
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import stamina
from httpx2 import Client, ConnectError, ConnectTimeout, HTTPError, Limits, Timeout
from pybreaker import CircuitBreaker, CircuitBreakerError

from controller.detection.config import WebhookConfig
from shared.errors import BadInputError
from shared.host.tls import client_context
from shared.host.tracing import SpanKind, outgoing, span
from shared.secret import Secret

PREFIX = "whsec_"
_MAX_SECRET_FILE = 1_024
_MAX_ANSWER = 64 * 1024
_SECRET_BYTES = range(24, 65)
_GONE = 410


class NotDeliveredError(Exception):
    """The receiver did not take the message; it may be sent again."""


class GoneError(NotDeliveredError):
    """The receiver says that it is no more (410)."""


class NotTriedError(Exception):
    """The circuit breaker is open: the receiver has been failing, and is left alone for a while."""


def load_secret(path: Path) -> Secret:
    """Reads `whsec_` and base64; `BadInputError`, which does not repeat it, when it is neither."""
    allowed = f"{PREFIX} and base64 of 24 to 64 bytes"
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_SECRET_FILE).decode("ascii").strip()
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except OSError as error:
        raise BadInputError("webhook.secret_file", f"{path}: {error.strerror}", allowed) from error
    except (UnicodeDecodeError, binascii.Error):
        raise BadInputError("webhook.secret_file", "malformed", allowed) from None
    if not text.startswith(PREFIX) or len(key) not in _SECRET_BYTES:
        raise BadInputError("webhook.secret_file", "malformed or of another length", allowed)
    return Secret(key)


def signature(secret: Secret, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header webhook-signature."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret.reveal(), signed, "sha256")).decode()


class Webhook:
    """The receiver. Follows no redirect, reads at most 64 KiB of an answer, uses no proxy."""

    def __init__(self, config: WebhookConfig) -> None:
        self._url = config.url
        self._secret = load_secret(config.secret_file)
        self._timeout_s = config.timeout_s
        self._breaker = CircuitBreaker(
            fail_max=config.breaker_failures,
            reset_timeout=config.breaker_reset_s,
            exclude=[GoneError],
            throw_new_error_on_trip=False,
            name="webhook",
        )
        self._client = Client(
            verify=client_context(config.ca_file),
            timeout=Timeout(config.timeout_s),
            follow_redirects=False,
            trust_env=False,
            limits=Limits(max_connections=2, max_keepalive_connections=1),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def send(self, message_id: str, body: str) -> None:
        """Returns once the receiver said 2xx; `NotDeliveredError` or `NotTriedError` otherwise."""
        try:
            self._breaker.call(self._post, message_id, body.encode())
        except CircuitBreakerError as error:
            raise NotTriedError(str(error)) from error

    def _post(self, message_id: str, body: bytes) -> None:
        now_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "bitcoin-enterprise-suite",
            "webhook-id": message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": signature(self._secret, message_id, now_s, body),
        }
        try:
            with span("send security event", SpanKind.CLIENT):
                status = self._status(body, headers | outgoing())
        except HTTPError as error:
            raise NotDeliveredError(f"{type(error).__name__}: {error}"[:300]) from error
        if status == _GONE:
            raise GoneError("the receiver answers 410 Gone")
        if not 200 <= status < 300:
            raise NotDeliveredError(f"the receiver answers {status}")

    def _status(self, body: bytes, headers: dict[str, str]) -> int:
        """What never reached the receiver is tried again at once; more is the schedule's."""
        for attempt in stamina.retry_context(
            on=(ConnectError, ConnectTimeout), attempts=3, timeout=self._timeout_s, wait_max=1.0
        ):
            with attempt:
                return self._once(body, headers)
        raise NotDeliveredError("not tried")

    def _once(self, body: bytes, headers: dict[str, str]) -> int:
        deadline = time.monotonic() + self._timeout_s
        with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
            read = 0
            for chunk in answer.iter_raw():
                read += len(chunk)
                if read > _MAX_ANSWER or time.monotonic() > deadline:
                    break
            return answer.status_code
