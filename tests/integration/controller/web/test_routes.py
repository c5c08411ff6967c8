"""Signing in and out, the page and its files."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from controller.access.sessions import COOKIE, seal
from controller.access.tokens import BearerToken
from controller.app import Role, create_app
from controller.config import ControllerConfig, WebConfig
from controller.web.policy import HEADERS
from controller.web.routes import VENDOR_FILES
from shared.errors import BadInputError
from tests.fleets import TOKEN


def sign_in(client: TestClient, token: str) -> int:
    return client.post("/sign-in", data={"token": token}).status_code


def test_a_stranger_is_sent_to_sign_in(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/api/v1/sites").status_code == 401


def test_the_token_opens_the_page_and_is_not_kept(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"token": f" {TOKEN} "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    assert client.get("/").status_code == 200
    assert client.get("/api/v1/sites").json()["items"] == []


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "t", "é" * 40])
def test_another_token_is_refused_and_opens_nothing(client: TestClient, token: str) -> None:
    assert sign_in(client, token) == 403
    assert COOKIE not in client.cookies
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("form", [{}, {"token": "t" * 513}])
def test_a_form_that_is_none_is_refused_as_one(client: TestClient, form: dict[str, str]) -> None:
    answer = client.post("/sign-in", data=form)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "token" in answer.text


def test_signing_out_ends_the_session(client: TestClient) -> None:
    assert sign_in(client, TOKEN) == 303
    answer = client.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/").status_code == 303


def test_a_session_that_has_run_out_opens_nothing(client: TestClient) -> None:
    client.cookies.set(COOKIE, seal(BearerToken(TOKEN.encode()), 0))
    assert client.get("/").status_code == 303
    assert client.get("/api/v1/sites").status_code == 401


def test_the_pages_name_only_files_that_this_host_serves(client: TestClient) -> None:
    shown = client.get("/sign-in").text
    assert sign_in(client, TOKEN) == 303
    shown += client.get("/").text
    named = set(re.findall(r'(?:src|href|action)="([^"]*)"', shown))
    assert {f"/vendor/{name}" for name in VENDOR_FILES} <= named
    for path in named - {"/sign-in", "/sign-out"}:
        assert path.startswith("/")
        answer = client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), path
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", shown)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/static/page.css", "/static/../routes.py", "/x"]
)
def test_every_answer_carries_the_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS:
        assert answer.headers[name.decode()] == value.decode()


def test_nothing_beside_the_static_folders_is_served(client: TestClient) -> None:
    for path in ("/static/..%2froutes.py", "/static/%2e%2e/policy.py", "/vendor/..%2fpackage.json"):
        assert client.get(path).status_code == 404


def test_without_the_chart_library_the_controller_does_not_start(
    config: ControllerConfig, tmp_path: Path
) -> None:
    lacking = config.model_copy(update={"web": WebConfig(vendor_dir=tmp_path)})
    with pytest.raises(BadInputError, match="uPlot") as refused:
        create_app(lacking, Role.API)
    assert refused.value.field == "web.vendor_dir"
