"""Spans to a collector: OpenTelemetry's SDK, OTLP over HTTP. Imported only where it is configured.

A collector that is away costs spans and nothing else: a thread of the SDK's own sends them, a
bounded queue holds what waits, the newest pushes the oldest out, and the end waits a moment only.
The exporter retries with jittered back-off itself.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
import structlog
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from shared.host.tracing import Place, Span, SpanKind, TracingConfig, collecting
from shared.logs import hidden

_WAITING = 2_048
_A_BATCH = 256
_EVERY_MS = 2_000
_ANSWER_WITHIN_S = 5.0
_LAST_WITHIN_S = 3.0
_MOST_TEXT = 500
_KINDS = {kind: api.SpanKind[kind.name] for kind in SpanKind}
_SAMPLED = api.TraceFlags(api.TraceFlags.SAMPLED)

_log = structlog.get_logger(__name__)


@contextmanager
def exporting(config: TracingConfig, service: str, instance: str) -> Iterator[None]:
    """Sends the spans of this process to the collector; what waits at the end has 3 s to go."""
    exporter = _Export(config, service, instance)
    try:
        with collecting(exporter.take):
            yield
    finally:
        exporter.close()


class _Ids(IdGenerator):
    """Gives each span the ids that it has already: those in the log and in what was sent."""

    def __init__(self) -> None:
        self._next = threading.local()

    def give(self, place: Place) -> None:
        """What this thread's next span is to have."""
        self._next.place = place

    def generate_trace_id(self) -> int:
        return int(self._next.place.trace, 16)

    def generate_span_id(self) -> int:
        return int(self._next.place.span, 16)


class _Export:
    def __init__(self, config: TracingConfig, service: str, instance: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Told` says it, once
        sender = OTLPSpanExporter(
            endpoint=config.endpoint,
            certificate_file=None if config.ca_file is None else str(config.ca_file),
            timeout=_ANSWER_WITHIN_S,
            session=_session(),
        )
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": service, "service.instance.id": instance}),
            id_generator=self._ids,
            span_limits=SpanLimits(max_span_attribute_length=_MOST_TEXT),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Told(sender, config.endpoint),
                max_queue_size=_WAITING,
                max_export_batch_size=_A_BATCH,
                schedule_delay_millis=_EVERY_MS,
            )
        )
        self._tracer = self._provider.get_tracer("bitcoin-enterprise-suite")

    def take(self, span: Span) -> None:
        """Puts an ended span into the queue."""
        self._ids.give(span.place)
        made = self._tracer.start_span(
            span.name,
            context=_context(span.parent),
            kind=_KINDS[span.kind],
            attributes={key: hidden(value, key) for key, value in span.attributes.items()},
            start_time=span.began_ns,
        )
        if span.error is not None:
            made.set_status(api.StatusCode.ERROR, span.error)
        made.end(span.ended_ns)

    def close(self) -> None:
        """Sends what waits, for a moment; a collector that does not answer is not waited for."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans-end", daemon=True)
        ending.start()
        ending.join(_LAST_WITHIN_S)


class _Told(SpanExporter):
    """The exporter, whose failing is logged once until it works again."""

    def __init__(self, sender: OTLPSpanExporter, endpoint: str) -> None:
        self._sender = sender
        self._endpoint = endpoint
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._sender.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing != self._failing:
            what = "spans are lost: the collector does not take them" if failing else "spans go out"
            _log.warning(what, endpoint=self._endpoint)
        self._failing = failing
        return result

    def shutdown(self) -> None:
        self._sender.shutdown()  # type: ignore[no-untyped-call]  # the SDK gives it none


class _BoundedSession(requests.Session):
    """Reads no answer's body: the status says all, and a body could be of any length."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        with super().request(*args, **{**options, "stream": True}) as response:
            return response


def _session() -> requests.Session:
    session = _BoundedSession()
    session.trust_env = False
    return session


def _context(parent: Place | None) -> Any:
    if parent is None:
        return api.set_span_in_context(api.INVALID_SPAN)
    span = api.SpanContext(
        int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=_SAMPLED
    )
    return api.set_span_in_context(api.NonRecordingSpan(span))
