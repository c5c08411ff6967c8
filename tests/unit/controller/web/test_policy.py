"""The headers that every answer carries."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from controller.web.policy import CONTENT_SECURITY_POLICY, HEADERS, SecurityHeaders


def answer_plainly(_request: Request) -> Response:
    return PlainTextResponse("plain")


def answer_cached(_request: Request) -> Response:
    return PlainTextResponse("kept", headers={"Cache-Control": "no-cache"})


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/plain", answer_plainly), Route("/cached", answer_cached)]
    return TestClient(SecurityHeaders(Starlette(routes=routes)))


def directives() -> dict[str, str]:
    """The policy by directive."""
    parts = (part.strip().partition(" ") for part in CONTENT_SECURITY_POLICY.split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize("path", ["/plain", "/cached", "/nowhere"])
def test_every_answer_carries_the_policy_once(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS:
        assert answer.headers.get_list(name.decode()) == [value.decode()]


def test_what_does_not_say_otherwise_is_not_stored(client: TestClient) -> None:
    assert client.get("/plain").headers.get_list("cache-control") == ["no-store"]
    assert client.get("/cached").headers.get_list("cache-control") == ["no-cache"]


def test_nothing_inline_and_no_other_host_is_allowed() -> None:
    policy = directives()
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert (policy["base-uri"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert policy["form-action"] == "'self'"
