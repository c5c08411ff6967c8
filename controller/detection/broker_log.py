"""What mosquitto's log says of refusals. No I/O, no clock: the time is in the lines.

The lines are those of mosquitto 2.0 (`src/handle_connect.c`, `handle_publish.c`, `net.c`) with the
log settings of `bes provision broker`. A refused publish and a subscription are told at the levels
debug and subscribe only. An ACL file lets every subscription stand and filters what is delivered,
so that a foreign one is found here and not in the broker's answer.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from controller.detection.kinds import SecurityKind
from shared.messages.topics import DOWN, PREFIX, UP

MAX_LINE = 2_000
_MOST_WAITING = 64
_MOST_CLIENTS = 10_000
_TAKE_OVERS = 3
_WINDOW_S = 600

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|\d{9,11}): ?")
_DENIED = re.compile(
    r"Denied PUBLISH from (\S+) \(d\d, q\d, r\d, m\d+, '(.*)', \.\.\. \((\d+) bytes\)\)"
)
_SUBSCRIBED = re.compile(r"([^\s:]+) ([012]) (\S.*)")
_OPENED = re.compile(r"New connection from (\S+):(\d+) on port \d+\.")
_CONNECTED = re.compile(r"New client connected from (\S+):(\d+) as (\S+) \(")
_FAILED = re.compile(r"Client connection from (\S+) failed: (error:.*)")
_SSL = re.compile(r"OpenSSL Error\[0\]: (error:.*)")
_TAKEN_OVER = re.compile(r"Client (\S+) already connected, closing old connection\.")
_ENDED = re.compile(r"Client (\S+) disconnected(?: due to|:) (.*)")
_WILL = re.compile(r"Will message specified ")
_REFUSED_CONNACK = re.compile(r"Sending CONNACK to (\S+) \(\d+, (\d+)\)")
_DROPPED = re.compile(r"Outgoing messages are being dropped for client (\S+)\.")
_BROKEN = re.compile(r"Error: (Unable to load .*)|(Error when reloading certificate .*)")

_HARMLESS = ("unexpected eof while reading", "http request", "wrong version number")
"""Somebody who opened a connection and spoke no TLS: no certificate was shown."""
_ENDINGS: Mapping[str, SecurityKind] = {
    "oversize packet": SecurityKind.OVERSIZED_MESSAGE,
    "protocol error": SecurityKind.PROTOCOL_VIOLATION,
    "malformed packet": SecurityKind.PROTOCOL_VIOLATION,
    "not authorised": SecurityKind.CONNECTION_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a security event is made of."""

    kind: SecurityKind
    subject: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of a client, or its taking over of another."""

    at_s: int
    address: str
    took_over: bool


def at_two_places(recent: tuple[Connection, ...]) -> bool:
    """Whether a client's recent connections are those of two agents with one identity.

    Two that are up take the session from each other again and again. One that lost its link also
    takes over its own old session, and may come by another way: that is once or twice, not in
    turns.
    """
    if not recent:
        return False
    newest = recent[-1].at_s
    window = [c for c in recent if 0 <= newest - c.at_s <= _WINDOW_S]
    taken = sum(c.took_over for c in window)
    turns = [a.address for a, b in pairwise(window) if a.address != b.address]
    comes_back = len(turns) >= 2 and bool(taken)
    return taken >= _TAKE_OVERS or comes_back


class BrokerLogReader:
    """Reads line after line; what it remembers between lines is bounded.

    `trusted` are the clients that may read other nodes' topics: controllers and observers.
    """

    def __init__(self, trusted: frozenset[str]) -> None:
        self._trusted = trusted
        self._opened: deque[str] = deque(maxlen=_MOST_WAITING)
        self._take_over: str | None = None
        self._client: str | None = None
        self._will_follows = False
        self._recent: dict[str, tuple[Connection, ...]] = {}

    def read(self, line: str) -> Finding | None:
        """What the line tells of a refusal, if it does."""
        stamp = _STAMP.match(line)
        if stamp is None:
            return None
        text = line[stamp.end() : MAX_LINE].rstrip("\n")
        if text.startswith(("Received P", "Sending P")):  # most of them
            return None
        if self._will_follows:
            self._will_follows = False
            return self._will(text.strip())
        return self._of_connection(_seconds(stamp[1]), text) or self._of_session(text)

    def _of_connection(self, at_s: int | None, text: str) -> Finding | None:
        if match := _OPENED.fullmatch(text):
            self._opened.append(f"{match[1]}:{match[2]}")
        elif match := _TAKEN_OVER.fullmatch(text):
            self._take_over = match[1]
        elif match := _CONNECTED.match(text):
            return self._connected(at_s, match[1], match[2], match[3])
        elif match := _FAILED.fullmatch(text):
            return _tls_refusal(match[1], match[2].rstrip("."))
        elif match := _SSL.fullmatch(text):
            return _tls_refusal(self._only_opened(), match[1])
        elif match := _REFUSED_CONNACK.fullmatch(text):
            if match[2] != "0":
                detail = {"reason_code": match[2]}
                return Finding(SecurityKind.CONNECTION_REFUSED, match[1], detail)
        elif match := _BROKEN.fullmatch(text):
            detail = {"text": match[1] or match[2]}
            return Finding(SecurityKind.BROKER_MISCONFIGURED, "broker", detail)
        return None

    def _of_session(self, text: str) -> Finding | None:
        if match := _DENIED.fullmatch(text):
            detail = {"topic": match[2], "bytes": match[3]}
            return Finding(SecurityKind.PUBLISH_REFUSED, match[1], detail)
        if match := _ENDED.fullmatch(text):
            return self._ended(match[1], match[2].rstrip(".").lower())
        if match := _DROPPED.fullmatch(text):
            return Finding(SecurityKind.QUEUE_OVERFLOW, match[1], {})
        if _WILL.match(text):
            self._will_follows = True
        elif match := _SUBSCRIBED.fullmatch(text):
            return self._subscribed(match[1], match[3])
        return None

    def _connected(self, at_s: int | None, address: str, port: str, client: str) -> Finding | None:
        place = f"{address}:{port}"
        if place in self._opened:
            self._opened.remove(place)
        took_over = self._take_over == client
        self._take_over, self._client = None, client
        if at_s is None:
            return None
        recent = (*self._recent.pop(client, ()), Connection(at_s, address, took_over))[-8:]
        if len(self._recent) >= _MOST_CLIENTS:
            self._recent.pop(next(iter(self._recent)))
        self._recent[client] = recent
        if not at_two_places(recent):
            return None
        addresses = ", ".join(sorted({c.address for c in recent}))
        detail = {"seen_by": "broker", "addresses": addresses}
        return Finding(SecurityKind.AGENT_AT_TWO_PLACES, client, detail)

    def _ended(self, client: str, why: str) -> Finding | None:
        kind = next((kind for words, kind in _ENDINGS.items() if words in why), None)
        if client == "<unknown>":  # its TLS error has been told; without one it spoke no MQTT
            address = self._only_opened()
            if kind is None or address is None or not why.startswith("protocol error"):
                return None
            return Finding(SecurityKind.PROTOCOL_VIOLATION, _host(address), {"why": why})
        return None if kind is None else Finding(kind, client, {"why": why})

    def _subscribed(self, client: str, topic: str) -> Finding | None:
        own = {f"{PREFIX}/{client}/{channel}" for channel in DOWN}
        if client in self._trusted or topic in own:
            return None
        return Finding(SecurityKind.SUBSCRIPTION_REFUSED, client, {"topic": topic})

    def _will(self, topic: str) -> Finding | None:
        client = self._client
        if client is None or client in self._trusted:
            return None
        if topic in {f"{PREFIX}/{client}/{channel}" for channel in UP}:
            return None
        return Finding(SecurityKind.PUBLISH_REFUSED, client, {"topic": topic, "as": "will"})

    def _only_opened(self) -> str | None:
        """Where a connection without a name comes from, if it can only be one."""
        place = self._opened[0] if len(self._opened) == 1 else None
        self._opened.clear()
        return place


def _tls_refusal(place: str | None, error: str) -> Finding | None:
    if any(words in error for words in _HARMLESS):
        return None
    subject = "unknown" if place is None else _host(place)
    return Finding(SecurityKind.CERTIFICATE_REFUSED, subject, {"why": error.rsplit(":", 1)[-1]})


def _host(place: str) -> str:
    host, colon, port = place.rpartition(":")
    return host if colon and port.isdigit() and host else place


def _seconds(stamp: str) -> int | None:
    """Seconds, to compare with others of the same log: the stamp's zone is the host's."""
    if stamp.isdigit():
        return int(stamp)
    try:
        return int(datetime.fromisoformat(f"{stamp}+00:00").timestamp())
    except ValueError:
        return None
