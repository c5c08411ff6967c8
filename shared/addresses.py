"""Addresses of hosts and services: what stays on this host, and what may carry a secret."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from shared.errors import BadInputError

ALLOWED = "https://HOST[:PORT], or http:// on loopback"


def is_loopback(host: str) -> bool:
    """Whether what goes to the host never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def private_url(url: str, field: str = "url") -> SplitResult:
    """The parts of an address on whose way nobody reads along: HTTPS, or HTTP to this machine.

    `BadInputError` for any other, and for one with a name or password in it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise BadInputError(field, f"{url[:200]!r}: {error}", ALLOWED) from error
    if not host or parts.scheme not in {"http", "https"}:
        raise BadInputError(field, repr(url[:200]), ALLOWED)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadInputError(field, "has a name, password or fragment", ALLOWED)
    if parts.scheme == "http" and not is_loopback(host):
        raise BadInputError(field, f"{url[:200]!r} would travel in the clear", ALLOWED)
    return parts
