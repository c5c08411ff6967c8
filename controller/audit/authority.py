"""The timestamp authority over HTTP: one question, a few tries, a breaker while it is away."""

import time

import stamina
from httpx2 import Client, HTTPError, Timeout, TransportError
from pybreaker import CircuitBreaker, CircuitBreakerError

from controller.audit.stamps import MAX_RESPONSE_BYTES
from shared.host.tracing import SpanKind, outgoing, span

_TRIES = 3
_IN_ALL_S = 30.0
_ANSWER_WITHIN_S = 10.0
_FAILURES = 3
_REST_S = 300.0
_MEDIA_TYPE = "application/timestamp-query"


class AuthorityError(Exception):
    """The authority did not answer; nothing depends on it but the timestamp."""


class _UnavailableError(Exception):
    """An answer that a later try may better."""


class Authority:
    """Asks one URL. Only `ask` of one thread at a time."""

    def __init__(self, url: str, client: Client | None = None) -> None:
        self.url = url
        self._client = client or Client(timeout=Timeout(_ANSWER_WITHIN_S), trust_env=False)
        self._breaker = CircuitBreaker(
            fail_max=_FAILURES,
            reset_timeout=_REST_S,
            name="timestamp authority",
            throw_new_error_on_trip=False,
        )

    def ask(self, body: bytes) -> bytes:
        """The answer's body; `AuthorityError` says why there is none."""
        try:
            return self._breaker.call(self._ask_again, body)
        except CircuitBreakerError as error:
            raise AuthorityError("it failed again and again, and is left alone") from error
        except (HTTPError, _UnavailableError) as error:
            reason = str(error)[:200] or type(error).__name__
            raise AuthorityError(reason) from error

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _ask_again(self, body: bytes) -> bytes:
        for attempt in stamina.retry_context(
            on=(TransportError, _UnavailableError), attempts=_TRIES, timeout=_IN_ALL_S
        ):
            with attempt, span("ask timestamp authority", SpanKind.CLIENT):
                return self._ask_once(body)
        raise _UnavailableError("no try was made")

    def _ask_once(self, body: bytes) -> bytes:
        accepted = {"Accept": "application/timestamp-reply"}
        headers = {"Content-Type": _MEDIA_TYPE} | accepted | outgoing()
        with self._client.stream("POST", self.url, content=body, headers=headers) as response:
            if response.status_code >= 500 or response.status_code == 429:
                raise _UnavailableError(f"HTTP status {response.status_code}")
            response.raise_for_status()
            received = bytearray()
            until_s = time.monotonic() + _ANSWER_WITHIN_S
            for piece in response.iter_raw():
                received += piece
                if time.monotonic() > until_s:
                    raise _UnavailableError(f"no whole answer within {_ANSWER_WITHIN_S:g} s")
                if len(received) > MAX_RESPONSE_BYTES:
                    raise HTTPError(f"an answer of more than {MAX_RESPONSE_BYTES} bytes")
            return bytes(received)
