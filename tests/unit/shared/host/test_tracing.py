"""Spans: one trace for log lines, spans and what goes out; nothing without a collector."""

import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from shared.configuration import ConfigError, configuration
from shared.errors import BadInputError
from shared.host import tracing
from shared.host.tracing import (
    Place,
    Span,
    SpanKind,
    TracingConfig,
    beside,
    collecting,
    command_place,
    outgoing,
    place_of,
    span,
    tell,
    traced_process,
)
from shared.logs import TRACE, command_trace, current_trace, new_trace, traced

SPAN = "00f067aa0ba902b7"


def test_a_span_binds_its_trace_and_those_inside_hang_on_it() -> None:
    with span("outer") as outer:
        assert current_trace() == outer.place.trace
        with span("inner", SpanKind.CLIENT) as inner:
            assert inner.parent == outer.place
            assert inner.place.trace == outer.place.trace
            assert inner.place.span != outer.place.span
            assert outgoing() == {"traceparent": f"00-{outer.place.trace}-{inner.place.span}-00"}
        assert place_of(outgoing()["traceparent"]) == outer.place
    assert current_trace() is None
    assert outgoing() == {}


def test_a_span_goes_on_with_the_trace_that_the_log_is_in() -> None:
    with traced() as trace, span("work") as made:
        assert made.place.trace == trace
        assert made.parent is None


def test_a_sender_s_place_is_gone_on_with() -> None:
    sender = place_of(f"00-{new_trace()}-{SPAN}-01")
    assert sender is not None
    with span("request", SpanKind.SERVER, within=sender) as made:
        assert (made.place.trace, made.parent) == (sender.trace, sender)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x" * 1_000,
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-{SPAN}-01",
        f"00-{'a' * 32}-{SPAN}-01-more",
        f"00-{'A' * 32}-{SPAN}-01",
        f"00-{'a' * 32}-{SPAN}-01\n",
    ],
)
def test_what_is_no_traceparent_names_no_place(header: str | None) -> None:
    assert place_of(header) is None


def test_a_later_version_is_read_as_the_first() -> None:
    assert place_of(f"01-{'a' * 32}-{SPAN}-01-more") == Place("a" * 32, SPAN)


def test_both_sides_of_the_wire_find_the_same_place_for_a_command() -> None:
    given = command_place("order-1")
    assert given == command_place("order-1")
    assert given != command_place("order-2")
    assert given.trace == command_trace("order-1")
    assert place_of(given.traceparent) == given
    assert beside(given).trace == given.trace
    assert beside(given).span != given.span


def test_ended_spans_are_collected_with_what_became_of_them() -> None:
    ended: list[Span] = []
    given = command_place("order-1")
    with collecting(ended.append):
        assert given.traceparent.endswith("-01")
        with pytest.raises(LookupError), span("fails", SpanKind.SERVER, rows=3):
            raise LookupError
        tell("told", SpanKind.PRODUCER, given, began_ns=1, node="site-a-01")
    with span("after"):
        pass
    fails, told = ended
    assert (fails.name, fails.kind, fails.error) == ("fails", SpanKind.SERVER, "LookupError")
    assert fails.attributes == {"rows": 3}
    assert fails.ended_ns >= fails.began_ns > 0
    assert (told.place, told.began_ns, told.error) == (given, 1, None)
    assert told.attributes == {"node": "site-a-01"}


def test_what_is_bound_beside_the_trace_stays_bound() -> None:
    with structlog.contextvars.bound_contextvars(command="order-1"), span("work"):
        bound = structlog.contextvars.get_contextvars()
    assert bound["command"] == "order-1"
    assert TRACE.fullmatch(bound["trace"])


def test_without_a_section_opentelemetry_is_not_imported() -> None:
    """In a process of its own, for other tests may have imported it here."""
    code = (
        "import sys\n"
        "from shared.host.tracing import span, traced_process\n"
        "with traced_process(None, 'bes-agent', 'site-a-01'), span('work'): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_a_collector_without_opentelemetry_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "shared.host.otlp", raising=False)
    config = TracingConfig(endpoint="http://127.0.0.1:4318/v1/traces")
    with (
        pytest.raises(BadInputError, match="telemetry"),
        traced_process(config, "bes-agent", "site-a-01"),
    ):
        pass
    assert tracing.outgoing() == {}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:4318/v1/traces",
        "http://localhost:4318/v1/traces",
        "https://collector.example/v1/traces",
    ],
)
def test_a_collector_on_this_host_or_behind_tls_is_allowed(endpoint: str) -> None:
    assert TracingConfig(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    ["collector", "ftp://127.0.0.1/", "http://collector.example/v1/traces", "https://u:p@host/"],
)
def test_another_address_is_refused(endpoint: str, tmp_path: Path) -> None:
    content = f'endpoint = "{endpoint}"'.encode()
    with pytest.raises(ConfigError, match=r"allowed: https://"):
        configuration(content, {}, TracingConfig, tmp_path / "file", tmp_path)
