"""Where the database is, and that a PostgreSQL server elsewhere proves who it is. Pure.

libpq's own default, `sslmode=prefer`, takes an unencrypted connection where the server offers no
other, and believes any certificate. What it reads besides the URL (a service file, PGHOST) is not
believed to stay on this host either: the URL has to say so.
"""

from ipaddress import ip_address

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_ALLOWED = "sqlite:///FILE, or postgresql+psycopg://..."
_REMOTE = (
    "on another host ?sslmode=verify-full&sslrootcert=FILE; otherwise a loopback address or "
    "?host=/FOLDER of a socket"
)
_TLS = "TLSv1.3"


def checked_url(text: str) -> str:
    """The URL, TLS 1.3 asked for where it leads to another host; `ValueError` for one that would
    let somebody in between read or answer."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"unreadable (allowed: {_ALLOWED})") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return text
    if backend != "postgresql":
        raise ValueError(f"a database of the kind {backend[:40]!r} (allowed: {_ALLOWED})")
    if _stays_here(url):
        return text
    if _last(url, "sslmode") != "verify-full":
        raise ValueError(f"the server on another host need not prove itself (allowed: {_REMOTE})")
    least = _last(url, "ssl_min_protocol_version")
    if least is None:
        tls = url.update_query_dict({"ssl_min_protocol_version": _TLS})
        return tls.render_as_string(hide_password=False)
    if least != _TLS:
        raise ValueError(f"ssl_min_protocol_version {least[:20]!r} (allowed: {_TLS})")
    return text


def _stays_here(url: URL) -> bool:
    """Whether every host that it names is this one, and it names any."""
    named = [url.host] if url.host else []
    for key in ("host", "hostaddr"):
        named += [one for text in _all(url, key) for one in text.split(",")]
    return bool(named) and "service" not in url.query and all(map(_is_here, named))


def _is_here(host: str) -> bool:
    bare = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    if bare.startswith(("/", "@")) or bare == "localhost":
        return True
    try:
        return ip_address(bare.strip("[]")).is_loopback
    except ValueError:
        return False


def _all(url: URL, key: str) -> tuple[str, ...]:
    value = url.query.get(key, ())
    return (value,) if isinstance(value, str) else tuple(value)


def _last(url: URL, key: str) -> str | None:
    found = set(_all(url, key))
    return found.pop() if len(found) == 1 else None
