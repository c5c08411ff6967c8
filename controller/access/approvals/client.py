"""The controller's interface as `bes approve` calls it: HTTPS, bounded in time and size."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from controller.access.approvals.signing import printable, read_file
from shared.addresses import ALLOWED, private_url
from shared.approvals.exchange import MAX_DOCUMENT, read_json
from shared.errors import BadInputError
from shared.host.tls import client_context

_TIMEOUT_S = 30.0
_MAX_TOKEN = 600


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
        parts = private_url(url)
        if parts.path.strip("/") or parts.query:
            raise BadInputError("url", url[:200], ALLOWED)
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
            content = _content(response)
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
            context = client_context(self.ca_file)
        except OSError as error:
            raise BadInputError("ca-file", str(error), "a PEM file") from error
        port = parts.port or 443
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


def _content(response: http.client.HTTPResponse) -> bytes:
    """The body, one byte more than a document at the most, all in time."""
    until_s = time.monotonic() + _TIMEOUT_S
    content = bytearray()
    while len(content) <= MAX_DOCUMENT:
        if time.monotonic() > until_s:
            raise TimeoutError(f"no whole answer within {_TIMEOUT_S:g} s")
        piece = response.read1(MAX_DOCUMENT + 1 - len(content))
        if not piece:
            break
        content += piece
    return bytes(content)


def _detail(content: bytes) -> str:
    try:
        return printable(str(read_json(content, "answer").get("detail")))
    except BadInputError:
        return "no problem document"
