"""The controller's REST interface, as the demonstration uses it."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

_DEADLINE = aiohttp.ClientTimeout(total=15)


class InterfaceError(RuntimeError):
    """The controller did not answer, or not with what was asked for."""


class Interface:
    """A client with the bearer token."""

    def __init__(self, port: int, token: str) -> None:
        self._session = aiohttp.ClientSession(
            f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_DEADLINE,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str | int) -> Any:
        """The answer to a GET below `/api/v1`."""
        return await self._ask("GET", path, {"params": query})

    async def all(self, path: str, **query: str | int) -> AsyncIterator[Any]:
        """Every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, **query, **cursor)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def order(self, body: Mapping[str, Any], key: str) -> Any:
        """Gives a command."""
        return await self._ask(
            "POST", "/commands", {"json": body, "headers": {"Idempotency-Key": key}}
        )

    async def _ask(self, method: str, path: str, options: Mapping[str, Any]) -> Any:
        try:
            async with self._session.request(method, f"/api/v1{path}", **options) as answer:
                body = await answer.json(content_type=None)
                if answer.status >= 400:
                    raise InterfaceError(f"{method} {path}: {body}")
                return body
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise InterfaceError(f"{method} {path}: {error}") from error
