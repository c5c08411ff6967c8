"""The status page over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from prometheus_client import CollectorRegistry

from agent.cli import fetch_status
from agent.status.report import StatusReport
from agent.status.server import StatusServer, is_local, status_app
from tests.unit.agent.status.reports import report

Client = TestClient[Request, Application]


@pytest.fixture
def health() -> SimpleNamespace:
    return SimpleNamespace(problem=None)


async def look() -> StatusReport:
    return report()


@pytest.fixture
async def client(health: SimpleNamespace) -> AsyncIterator[Client]:
    app = status_app(look, lambda: health.problem, CollectorRegistry())
    async with TestClient(TestServer(app)) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/status.json", "/metrics", "/healthz", "/style.css"])
async def test_every_answer_forbids_what_the_page_does_not_need(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_json_is_the_report(client: Client) -> None:
    response = await client.get("/status.json")
    data = await response.json()
    assert data["node"] == "site-a-01"
    assert data["link"]["outstanding"]["telemetry"] == 1234
    assert data["site"]["devices"][1]["power_w"] is None


async def test_the_page_is_html_without_scripts(client: Client) -> None:
    response = await client.get("/")
    assert response.content_type == "text/html"
    text = await response.text()
    assert "miner-1" in text
    assert "<script" not in text
    assert "style=" not in text


async def test_health_is_503_with_the_reason_when_something_is_down(
    client: Client, health: SimpleNamespace
) -> None:
    health.problem = "not running: uplink"
    response = await client.get("/healthz")
    assert response.status == 503
    assert await response.text() == "not running: uplink"


async def test_a_request_under_a_foreign_name_is_refused(client: Client) -> None:
    response = await client.get("/status.json", headers={"Host": "evil.example:80"})
    assert response.status == 421


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:9464", True),
        ("127.0.0.1", True),
        ("localhost:1", True),
        ("[::1]:9464", True),
        ("[::1]", True),
        ("10.0.0.1:9464", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_names_are_told_from_others(host: str, local: bool) -> None:
    assert is_local(host) is local


def quiet_app() -> Application:
    """The page of an agent whom nothing ails."""
    return status_app(look, lambda: None, CollectorRegistry())


async def test_a_free_port_is_written_down_for_the_command_line(tmp_path: Path) -> None:
    server = await StatusServer.start(quiet_app(), "127.0.0.1", 0)
    try:
        server.write_address(tmp_path / "status-address")
        address = (tmp_path / "status-address").read_text(encoding="utf-8").strip()
        async with aiohttp.ClientSession() as session, session.get(f"{address}/healthz") as reply:
            assert await reply.text() == "ok"
    finally:
        await server.stop()


async def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    first = await StatusServer.start(quiet_app(), "127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            await StatusServer.start(quiet_app(), "127.0.0.1", first.port)
    finally:
        await first.stop()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        fetch_status("nonsense")
