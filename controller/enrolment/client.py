"""The enrolment routes as an operator's program calls them: HTTPS, an API token from a file."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import stamina

from shared.addresses import private_url
from shared.errors import BadInputError
from shared.host.tls import client_context

_TIMEOUT_S = 30.0
_ATTEMPTS = 3
_MOST_TOKEN = 600
_MOST_ANSWER = 4 * 1024 * 1024
_UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout)


class AnswerError(Exception):
    """The controller refused, or did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the controller is, what proves it, and the file with the caller's API token."""

    url: str
    token_file: Path
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        private_url(self.url)


class OperatorClient:
    """Calls of one operator. `AnswerError` for every refusal and every fault of the network."""

    def __init__(self, access: Access, transport: httpx2.BaseTransport | None = None) -> None:
        context = client_context(access.ca_file)
        self._client = httpx2.Client(
            base_url=f"{access.url.rstrip('/')}/api/v1/enrolment",
            headers={"Authorization": f"Bearer {_token(access.token_file)}"},
            verify=context,
            timeout=_TIMEOUT_S,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def get(self, path: str, **query: str | None) -> dict[str, Any]:
        """Reads; tried again when the network fails."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, query=given)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Changes. Every change here may be asked for twice: the second is refused or replaces the
        first."""
        return self._ask("POST", path, body=body)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        request = self._client.build_request(method, path, params=query, json=body)
        try:
            for attempt in stamina.retry_context(on=_UNREACHED, attempts=_ATTEMPTS):
                with attempt:
                    status, content = self._once(request)
        except httpx2.HTTPError as error:
            raise AnswerError(f"the controller does not answer: {error}") from error
        try:
            data = json.loads(content)
        except ValueError as error:
            raise AnswerError(f"HTTP {status}, and no JSON") from error
        if not isinstance(data, dict):
            raise AnswerError(f"HTTP {status}, and no JSON object")
        if status >= 400:
            raise AnswerError(str(data.get("detail", f"HTTP {status}"))[:500])
        return data

    def _once(self, request: httpx2.Request) -> tuple[int, bytes]:
        """Status and body, of which at most `_MOST_ANSWER` bytes are taken, all in time."""
        until_s = time.monotonic() + _TIMEOUT_S
        response = self._client.send(request, stream=True)
        try:
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_ANSWER:
                    raise AnswerError(f"an answer of more than {_MOST_ANSWER} bytes")
                if time.monotonic() > until_s:
                    raise AnswerError(f"no whole answer within {_TIMEOUT_S:g} s")
            return response.status_code, bytes(content)
        finally:
            response.close()


def _token(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            token = stream.read(_MOST_TOKEN).strip()
    except OSError as error:
        raise BadInputError("token-file", f"{file}: {error.strerror}", "a file") from error
    if not token or not token.isascii() or len(token) >= _MOST_TOKEN:
        raise BadInputError("token-file", "no token", "a file with one API token")
    return token.decode("ascii")
