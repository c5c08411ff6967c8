"""405 by the OpenAPI document: a path answers to the methods that are documented for it.

Starlette names in `Allow` only the methods of the first route that has the path, and takes
`/passkeys/options` for a passkey of the name "options" where the method is not that of the former.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.api.problems import MEDIA_TYPE, Problem

_Table = Mapping[str, frozenset[str]]


class DeclaredMethods:
    """Refuses methods that a documented path has not, and names all that it has."""

    def __init__(self, app: ASGIApp, described: FastAPI) -> None:
        self._app = app
        self._described = described
        self._literal: _Table | None = None
        self._templates: list[tuple[re.Pattern[str], frozenset[str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        allowed = self._allowed(scope["path"]) if scope["type"] == "http" else None
        if allowed is None or scope["method"] in allowed:
            await self._app(scope, receive, send)
            return
        await _refuse(send, ", ".join(sorted(allowed)))

    def _allowed(self, path: str) -> frozenset[str] | None:
        """The methods of a path, a literal one before a template; None: it is not documented."""
        if self._literal is None:
            self._literal = self._read(self._described.openapi()["paths"])
        found = self._literal.get(path)
        if found is not None:
            return found
        for pattern, methods in self._templates:
            if pattern.fullmatch(path):
                return methods
        return None

    def _read(self, paths: Mapping[str, Mapping[str, Any]]) -> _Table:
        literal = {}
        for path, operations in paths.items():
            methods = frozenset(name.upper() for name in operations)
            if "{" in path:
                pieces = [re.escape(piece) for piece in re.split(r"\{[^}]*\}", path)]
                self._templates.append((re.compile("[^/]+".join(pieces)), methods))
            else:
                literal[path] = methods
        return literal


async def _refuse(send: Send, allowed: str) -> None:
    status = HTTPStatus.METHOD_NOT_ALLOWED
    detail = f"this path has the methods {allowed}"
    body = json.dumps(Problem(title=status.phrase, status=status, detail=detail).model_dump())
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"allow", allowed.encode()),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
