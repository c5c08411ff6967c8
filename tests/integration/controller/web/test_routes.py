"""Signing in and out, the page and its files."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from controller.app import Role, create_app
from controller.config import AccessConfig, ControllerConfig, WebConfig
from controller.web.policy import HEADERS
from controller.web.routes import VENDOR_FILES
from shared.errors import BadInputError
from tests.accounts import PASSWORD
from tests.integration.controller.web.conftest import PERSON

HEADERS_OF_OUR_PAGE = {"Origin": "http://testserver"}


def sign_in(client: TestClient, password: str) -> Any:
    body = {"name": PERSON, "password": password}
    return client.post("/api/v1/sessions", json=body, headers=HEADERS_OF_OUR_PAGE)


def test_a_stranger_is_sent_to_sign_in(client: TestClient) -> None:
    for path in ("/", "/account", "/users"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert client.get("/api/v1/sites").status_code == 401


def test_the_password_opens_the_page_and_is_not_kept(client: TestClient) -> None:
    answer = sign_in(client, PASSWORD)
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    assert PASSWORD not in cookie
    assert {"httponly", "samesite=strict", "path=/"} <= {
        part.strip().lower() for part in cookie.split(";")
    }
    assert client.get("/").status_code == 200
    assert client.get("/api/v1/sites").json()["items"] == []


@pytest.mark.parametrize("password", ["wrong", PASSWORD[:-1], PASSWORD + "t", "é" * 40, ""])
def test_another_password_is_refused_and_opens_nothing(client: TestClient, password: str) -> None:
    assert sign_in(client, password).status_code == 401
    assert not client.cookies
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("body", [{}, {"name": "x", "password": "t" * 513}, {"name": 1}])
def test_a_body_that_is_none_is_refused_as_one(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/sessions", json=body, headers=HEADERS_OF_OUR_PAGE)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "password" in answer.text


def test_signing_out_ends_the_session(client: TestClient) -> None:
    csrf = sign_in(client, PASSWORD).json()["csrf"]
    kept = client.cookies["bes_session"]
    headers = {**HEADERS_OF_OUR_PAGE, "X-CSRF-Token": csrf}
    assert client.delete("/api/v1/sessions/current", headers=headers).status_code == 204
    client.cookies.set("bes_session", kept)
    assert client.get("/").status_code == 303


def test_the_pages_name_only_files_that_this_host_serves(client: TestClient) -> None:
    shown = client.get("/sign-in").text
    assert sign_in(client, PASSWORD).status_code == 201
    pages = {"/", "/account", "/users", "/approvals", "/security", "/sign-in"}
    shown += "".join(client.get(page).text for page in sorted(pages))
    named = set(re.findall(r'(?:src|href|action)="([^"]*)"', shown))
    assert {f"/vendor/{name}" for name in VENDOR_FILES} <= named
    for path in named - pages:
        assert path.startswith("/")
        answer = client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), path
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", shown)


def test_an_account_without_a_second_factor_first_sets_one_up(
    config: ControllerConfig,
) -> None:
    strict = config.model_copy(update={"access": AccessConfig()})
    with TestClient(create_app(strict, Role.API), follow_redirects=False) as client:
        assert sign_in(client, PASSWORD).json()["stage"] == "enrolling"
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert client.get("/account").status_code == 200
        assert client.get("/api/v1/sites").status_code == 403


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
