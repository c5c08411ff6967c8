"""A miner's raw replies opened into sources of fields. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.extract import Source

Raw: TypeAlias = bytes | DeviceError
"""A reply as it came, or the error that its request ended with."""


def source_of(reply: Raw, parse: Callable[[bytes], Mapping[str, Any]]) -> Source:
    """The reply parsed, or why there is none; `parse` raises `DeviceError`."""
    if isinstance(reply, DeviceError):
        return reply
    try:
        return parse(reply)
    except DeviceError as error:
        return error


def require_one(sources: Iterable[Source]) -> None:
    """Raises what the first request ended with when there is nothing to read in any."""
    judged = tuple(sources)
    failures = [source for source in judged if isinstance(source, DeviceError)]
    if failures and len(failures) == len(judged):
        raise failures[0]
