"""The controller's interface as `bes approve` calls it: HTTPS, bounded in time and size."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from controller.access.approvals.signing import printable, read_file
from shared.approvals.exchange import MAX_DOCUMENT, read_json
from shared.errors import BadInputError

_TIMEOUT_S = 30.0
_MAX_TOKEN = 600
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class CallError(Exception):
    """The controller could not be reached, or refused; the text says which."""


@dataclass(frozen=True, slots=True)
class Client:
    """One controller, and the token that is shown to it."""

    url: str
    ca_file: Path | None
    token: str = field(repr=False)

    @classmethod
    def of(cls, url: str, token_file: Path, ca_file: Path | None) -> "Client":
        """`BadInputError` for an address that would carry the token in clear text."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise BadInputError("url", url[:200], "https://HOST[:PORT]")
        if parts.hostname is None or parts.path.strip("/") or parts.query:
            raise BadInputError("url", url[:200], "https://HOST[:PORT]")
        token = read_file(token_file, _MAX_TOKEN, "token-file").strip()
        if not token.isascii() or not token:
            raise BadInputError("token-file", "no token", "one line of ASCII")
        return cls(url, ca_file, token.decode())

    def waiting(self) -> list[Mapping[str, Any]]:
        """The newest requests that wait for approvals."""
        answer = read_json(self._call("GET", "/approvals?state=pending&limit=100"), "answer")
        items = answer.get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise CallError("the answer is not a list of requests")
        return items

    def request(self, request_id: str) -> bytes:
        """A request's document."""
        return self._call("GET", f"/approvals/{quote(request_id, safe='')}")

    def send(self, request_id: str, decision: Mapping[str, Any]) -> str:
        """Hands in a decision; the state that the request has then."""
        path = f"/approvals/{quote(request_id, safe='')}/decisions"
        answer = read_json(self._call("POST", path, json.dumps(decision).encode()), "answer")
        return printable(str(answer.get("state")))

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, f"/api/v1{path}", body, headers)
            response = connection.getresponse()
            content = response.read(MAX_DOCUMENT + 1)
        except (OSError, http.client.HTTPException) as error:
            raise CallError(f"{self.url} cannot be asked: {printable(str(error))}") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise CallError(f"{response.status}: {_detail(content)}")
        return content

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port or 80, timeout=_TIMEOUT_S)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise BadInputError("ca-file", str(error), "a PEM file") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        port = parts.port or 443
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


def _detail(content: bytes) -> str:
    try:
        return printable(str(read_json(content, "answer").get("detail")))
    except BadInputError:
        return "no problem document"
