"""Spans at a real OTLP/HTTP receiver on loopback, and what happens when there is none."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from shared.host import otlp
from shared.host.tracing import SpanKind, TracingConfig, command_place, span, tell, traced_process
from shared.logs import set_up_logs
from shared.secret import HIDDEN

PASSWORD = "hunter2-hunter2"


@dataclass(slots=True)
class Receiver:
    """Answers `status`; what was posted to it by service name."""

    url: str
    status: int = 200
    spans: list[tuple[str, Sent]] = field(default_factory=list)
    got: threading.Event = field(default_factory=threading.Event)

    def named(self, name: str) -> Sent:
        (found,) = [sent for _, sent in self.spans if sent.name == name]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                of = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    kept.spans += [(of["service.name"], sent) for sent in scope.spans]
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            kept.got.set()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}/v1/traces")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    set_up_logs("info", written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_spans_arrive_with_the_ids_that_the_log_has(receiver: Receiver, lines: io.StringIO) -> None:
    given = command_place("order-1")
    with traced_process(TracingConfig(endpoint=receiver.url), "bes-agent", "site-a-01"):
        with span("outer", SpanKind.SERVER, rows=3, password=PASSWORD) as outer:
            structlog.get_logger().info("inside")
            with pytest.raises(LookupError), span("inner", SpanKind.CLIENT):
                raise LookupError
        tell("give command", SpanKind.PRODUCER, given)
        with span("carry out command", SpanKind.CONSUMER, within=given):
            pass
    assert {service for service, _ in receiver.spans} == {"bes-agent"}
    first, inner = receiver.named("outer"), receiver.named("inner")
    (line,) = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert first.trace_id.hex() == inner.trace_id.hex() == line["trace"] == outer.place.trace
    assert (first.span_id.hex(), first.parent_span_id) == (outer.place.span, b"")
    assert inner.parent_span_id == first.span_id
    assert (first.kind, inner.kind) == (Sent.SPAN_KIND_SERVER, Sent.SPAN_KIND_CLIENT)
    assert (first.status.code, inner.status.message) == (0, "LookupError")
    assert first.start_time_unix_nano == outer.began_ns
    told = {a.key: a.value for a in first.attributes}
    assert told["rows"].int_value == 3
    assert told["password"].string_value == HIDDEN
    root, leaf = receiver.named("give command"), receiver.named("carry out command")
    assert (root.trace_id.hex(), root.span_id.hex()) == (given.trace, given.span)
    assert (leaf.trace_id, leaf.parent_span_id) == (root.trace_id, root.span_id)


def test_a_collector_that_refuses_or_is_away_hurts_nothing_and_is_told_of_once(
    receiver: Receiver, lines: io.StringIO
) -> None:
    receiver.status = 400
    with traced_process(TracingConfig(endpoint=receiver.url), "bes-agent", "site-a-01"):
        for _ in range(3_000):  # more than the queue holds
            with span("work") as made:
                pass
        assert receiver.got.wait(30)
    assert made.ended_ns
    said = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    assert said == ["spans are lost: the collector does not take them"]


def test_the_end_does_not_wait_for_a_collector_that_is_away(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "_LAST_WITHIN_S", 0.1)
    closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{closed.server_port}/v1/traces"
    closed.server_close()
    with traced_process(TracingConfig(endpoint=url), "bes-agent", "site-a-01"), span("work"):
        structlog.get_logger().info("inside")
    inside = json.loads(lines.getvalue().splitlines()[0])
    assert inside["event"] == "inside"
    assert inside["trace"]
