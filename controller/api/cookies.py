"""The session's cookie: its name, its attributes, and a middleware that sets a changed one."""

from http.cookies import SimpleCookie

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.config import AccessConfig

_NAME = "bes_session"
_CHANGED = "bes_session_changed"


def own_origin(connection: HTTPConnection, config: AccessConfig) -> str:
    """The origin of our own page: as configured, else as the request names this host."""
    if config.origin is not None:
        return config.origin
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    return f"{scheme}://{connection.headers.get('host', '')}"


def cookie_name(*, secure: bool) -> str:
    """`__Host-` makes a browser refuse the cookie from another host or path (RFC 6265bis)."""
    return f"__Host-{_NAME}" if secure else _NAME


def offered_session(connection: HTTPConnection, config: AccessConfig) -> str | None:
    """The session id that the connection carries."""
    secure = own_origin(connection, config).startswith("https:")
    return connection.cookies.get(cookie_name(secure=secure))


def change_cookie(connection: HTTPConnection, config: AccessConfig, secret: str) -> None:
    """Lets the answer set the cookie to `secret`; to nothing when that is empty."""
    secure = own_origin(connection, config).startswith("https:")
    connection.scope.setdefault("state", {})[_CHANGED] = _cookie(secret, secure=secure)


def _cookie(secret: str, *, secure: bool) -> bytes:
    jar = SimpleCookie()
    name = cookie_name(secure=secure)
    jar[name] = secret
    jar[name]["path"] = "/"
    jar[name]["httponly"] = True
    jar[name]["samesite"] = "Strict"
    if secure:
        jar[name]["secure"] = True
    if not secret:
        jar[name]["max-age"] = 0
    text: str = jar[name].OutputString()
    return text.encode("latin-1")


class SessionCookies:
    """Adds the cookie that `change_cookie` left to the answer, whoever made the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = scope.get("state", {}).get(_CHANGED)
                if cookie is not None:
                    message["headers"] = [*message["headers"], (b"set-cookie", cookie)]
            await send(message)

        await self._app(scope, receive, with_cookie)
