"""An export from another controller's interface, over HTTP."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from httpx2 import Client, HTTPError, Timeout

from shared.addresses import private_url
from shared.errors import BadInputError
from shared.host.tls import client_context

PATH = "/api/v1/audit/export"
_MAX_TOKEN_BYTES = 514


class FetchError(Exception):
    """The interface gave no export, or not the whole of it."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where the interface is, the file with an API token, and the CA of its certificate (None:
    those that the host trusts)."""

    url: str
    token_file: Path
    ca_file: Path | None = None


@contextmanager
def fetched(interface: Interface) -> Iterator[Iterator[bytes]]:
    """The export as it arrives; `FetchError` when it does not. `BadInputError` for an address to
    which the token would travel in clear."""
    private_url(interface.url)
    headers = {"Authorization": f"Bearer {_token(interface.token_file)}"}
    try:
        with (
            Client(
                timeout=Timeout(60.0), verify=_tls(interface.ca_file), trust_env=False
            ) as client,
            client.stream("GET", interface.url.rstrip("/") + PATH, headers=headers) as response,
        ):
            response.raise_for_status()
            yield response.iter_bytes()
    except HTTPError as error:
        raise FetchError(str(error)[:300] or type(error).__name__) from error


def _token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            token = file.read(_MAX_TOKEN_BYTES).strip().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("token-file", str(error)[:200], "a file with an API token") from error
    return token


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return client_context(ca_file)
    except OSError as error:
        raise BadInputError("ca-file", str(error)[:200], "certificates in PEM") from error
