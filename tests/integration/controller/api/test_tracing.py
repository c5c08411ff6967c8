"""Every answer names the trace under which its log lines are found."""

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from controller.api.tracing import TracedRequests
from shared.host.tracing import Span, SpanKind, collecting, outgoing
from shared.logs import TRACE, current_trace, new_trace


def served() -> TestClient:
    application = FastAPI()

    @application.get("/trace")
    def tell() -> dict[str, str | None]:
        return {"trace": current_trace()}

    things = APIRouter(prefix="/things")

    @things.get("/{name}")
    def thing(name: str) -> dict[str, str]:
        return {"name": name} | outgoing()

    @application.get("/broken")
    def fail() -> None:
        raise ZeroDivisionError

    within = APIRouter(prefix="/v1")
    within.include_router(things)
    application.include_router(within)
    application.add_middleware(TracedRequests)
    return TestClient(application, raise_server_exceptions=False)


def test_the_answer_names_the_trace_that_was_bound_in_the_route() -> None:
    client = served()
    answers = [client.get("/trace") for _ in range(2)]
    traces = [answer.headers["trace-id"] for answer in answers]
    assert [answer.json()["trace"] for answer in answers] == traces
    assert len(set(traces)) == 2
    assert all(TRACE.fullmatch(trace) for trace in traces)
    assert current_trace() is None


def test_a_clients_trace_is_gone_on_with_and_nonsense_is_not() -> None:
    client, trace = served(), new_trace()
    header = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert client.get("/trace", headers=header).headers["trace-id"] == trace
    for nonsense in ("\"'; DROP", "00-zz-zz-01", "x" * 5_000):
        answer = client.get("/trace", headers={"traceparent": nonsense})
        assert TRACE.fullmatch(answer.headers["trace-id"])


def test_each_request_is_one_line_without_its_query() -> None:
    with structlog.testing.capture_logs() as lines:
        served().get("/trace?token=hunter2hunter2")
        served().get("/broken")
    told = [line for line in lines if line["event"] == "request"]
    assert [(line["path"], line["status"]) for line in told] == [("/trace", 200), ("/broken", 500)]
    assert "hunter2" not in str(lines)


def test_a_request_is_a_span_under_its_route_and_what_goes_out_of_it_hangs_on_it() -> None:
    client, trace, ended = served(), new_trace(), list[Span]()
    with collecting(ended.append):
        answer = client.get(
            "/v1/things/secret-name", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        )
        client.get("/broken")
    found, broken = ended
    assert (found.name, found.kind) == ("GET /v1/things/{name}", SpanKind.SERVER)
    assert found.parent is not None
    assert (found.place.trace, found.parent.span) == (trace, "00f067aa0ba902b7")
    assert answer.json()["traceparent"] == f"00-{trace}-{found.place.span}-01"
    assert found.attributes["http.response.status_code"] == 200
    assert "secret-name" not in str(found)
    assert (found.error, broken.error) == (None, "ZeroDivisionError")
