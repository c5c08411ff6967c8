"""Spans: how long a piece of work took, and in which trace it stands.

A span binds its trace to every log line written inside (`shared.logs`) and gives the `traceparent`
that goes out with a request (W3C Trace Context, https://www.w3.org/TR/trace-context/), whether or
not anybody collects spans. Where `[tracing]` names one, `shared.host.otlp` sends them to
it; without, OpenTelemetry is not even imported.

A command's trace and the place of its first span follow from its id, which its signature covers:
controller and agent agree on both without a field on the wire.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.addresses import private_url
from shared.configuration import ConfigPath
from shared.errors import BadInputError
from shared.logs import command_trace, current_trace, new_trace, traced

HEADER = "traceparent"
_EXPORTER = "shared.host.otlp"
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_MOST_HEADER_CHARS = 256

Attribute: TypeAlias = str | int | float | bool


def _collector_url(url: str) -> str:
    private_url(url, "endpoint")
    return url


class TracingConfig(BaseModel):
    """The section [tracing]: the collector's whole address for spans, OTLP over HTTP, and the roots
    that prove it where the system's do not. Without the section no span leaves the process."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    endpoint: Annotated[str, Field(max_length=500), AfterValidator(_collector_url)]
    ca_file: ConfigPath | None = None


class SpanKind(StrEnum):
    """Which end of an exchange a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span stands: its trace (32 hexadecimal digits) and its own id (16)."""

    trace: str
    span: str

    @property
    def traceparent(self) -> str:
        """The header that tells it; sampled when spans are collected here."""
        return f"00-{self.trace}-{self.span}-{'00' if _collector.take is None else '01'}"


@dataclass(slots=True)
class Span:
    """A piece of work; times are nanoseconds since the epoch, real time. `error` names what ended
    it, None when it ended well."""

    name: str
    kind: SpanKind
    place: Place
    parent: Place | None
    began_ns: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    ended_ns: int = 0
    error: str | None = None


Take: TypeAlias = Callable[[Span], None]


@dataclass(slots=True)
class _Collector:
    """Who gets the spans that end in this process."""

    take: Take | None = None


_collector = _Collector()
_here: ContextVar[Place | None] = ContextVar("span", default=None)


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    within: Place | None = None,
    **attributes: Attribute,
) -> Iterator[Span]:
    """Everything inside is of this span: its log lines and the spans begun there.

    `within` is where it hangs when that is not the span it is begun in. The name has no values in
    it, those are attributes; secrets in them are hidden as they are in logs.
    """
    parent = within or _here.get()
    trace = (current_trace() or new_trace()) if parent is None else parent.trace
    made = Span(name, kind, Place(trace, _new_id()), parent, time.time_ns(), dict(attributes))
    token = _here.set(made.place)
    try:
        with traced(trace):
            yield made
    except BaseException as error:
        made.error = type(error).__name__
        raise
    finally:
        _here.reset(token)
        _end(made)


def tell(
    name: str,
    kind: SpanKind,
    place: Place,
    *,
    within: Place | None = None,
    began_ns: int = 0,
    **attributes: Attribute,
) -> None:
    """A span that is over, for work whose place is known only then; `began_ns` 0 is now."""
    _end(Span(name, kind, place, within, began_ns or time.time_ns(), attributes))


def outgoing() -> dict[str, str]:
    """The headers that let the other end go on with the trace; none outside of a span."""
    place = _here.get()
    return {} if place is None else {HEADER: place.traceparent}


def place_of(traceparent: str | None) -> Place | None:
    """Where the sender of a request stands by its header; None when that says nothing.

    A higher version than 00 is read as 00, as the recommendation asks (section 3.2.4).
    """
    match = _TRACEPARENT.fullmatch((traceparent or "")[:_MOST_HEADER_CHARS])
    if match is None or match[1] == "ff" or (match[1] == "00" and match[4]):
        return None
    place = Place(match[2], match[3])
    return place if place.trace.strip("0") and place.span.strip("0") else None


def command_place(command_id: str) -> Place:
    """Where the giving of a command stands; what either side does with it hangs on this."""
    digest = hashlib.sha256(b"command " + command_id.encode()).hexdigest()
    return Place(command_trace(command_id), digest[32:48])


def beside(place: Place) -> Place:
    """A new place in the same trace."""
    return Place(place.trace, _new_id())


@contextmanager
def collecting(take: Take) -> Iterator[None]:
    """Gives every span of this process that ends meanwhile to `take`, which must be quick."""
    before = _collector.take
    _collector.take = take
    try:
        yield
    finally:
        _collector.take = before


def check_tracing(config: TracingConfig | None) -> None:
    """`BadInputError` when it names a collector and OpenTelemetry is not installed."""
    if config is None:
        return
    try:
        import_module(_EXPORTER)
    except ModuleNotFoundError as missing:
        raise BadInputError(
            "tracing",
            f"{missing.name} is not installed",
            "the extra `telemetry`, or no section [tracing]",
        ) from missing


@contextmanager
def traced_process(config: TracingConfig | None, service: str, instance: str) -> Iterator[None]:
    """Sends the process's spans where the configuration says; does nothing without one. Raises as
    `check_tracing` does."""
    check_tracing(config)
    if config is None:
        yield
        return
    with import_module(_EXPORTER).exporting(config, service, instance):
        yield


def _end(made: Span) -> None:
    if _collector.take is not None:
        made.ended_ns = max(made.began_ns, time.time_ns())
        _collector.take(made)


def _new_id() -> str:
    return secrets.token_hex(8)
