"""The enrolment routes as an operator's program calls them: HTTPS, an API token from a file."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import stamina

from shared.errors import BadInputError

_TIMEOUT_S = 30.0
_ATTEMPTS = 3
_MOST_TOKEN = 600


class AnswerError(Exception):
    """The controller refused, or did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the controller is, what proves it, and the file with the caller's API token."""

    url: str
    token_file: Path
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        allowed = "https://HOST[:PORT], or http:// on loopback"
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInputError("url", repr(self.url)[:100], allowed)
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise BadInputError("url", "a token would travel in the clear", allowed)


class OperatorClient:
    """Calls of one operator. `AnswerError` for every refusal and every fault of the network."""

    def __init__(self, access: Access) -> None:
        ca_file = None if access.ca_file is None else str(access.ca_file)
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._client = httpx2.Client(
            base_url=f"{access.url.rstrip('/')}/api/v1/enrolment",
            headers={"Authorization": f"Bearer {_token(access.token_file)}"},
            verify=context,
            timeout=_TIMEOUT_S,
            trust_env=False,
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
        try:
            for attempt in stamina.retry_context(on=httpx2.ConnectError, attempts=_ATTEMPTS):
                with attempt:
                    response = self._client.request(method, path, params=query, json=body)
        except httpx2.HTTPError as error:
            raise AnswerError(f"the controller does not answer: {error}") from error
        try:
            data = response.json()
        except ValueError as error:
            raise AnswerError(f"HTTP {response.status_code}, and no JSON") from error
        if not isinstance(data, dict):
            raise AnswerError(f"HTTP {response.status_code}, and no JSON object")
        if response.is_error:
            raise AnswerError(str(data.get("detail", f"HTTP {response.status_code}"))[:500])
        return data


def _token(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            token = stream.read(_MOST_TOKEN).strip()
    except OSError as error:
        raise BadInputError("token-file", f"{file}: {error.strerror}", "a file") from error
    if not token or not token.isascii() or len(token) >= _MOST_TOKEN:
        raise BadInputError("token-file", "no token", "a file with one API token")
    return token.decode("ascii")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
