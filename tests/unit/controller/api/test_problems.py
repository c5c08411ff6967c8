"""Every error over HTTP is a problem document."""

from http import HTTPStatus

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from controller.api import problems
from shared.errors import BadInputError

application = FastAPI()
problems.install(application)


@application.get("/refused")
def _refused() -> None:
    raise problems.ProblemError(HTTPStatus.CONFLICT, "somebody was faster")


@application.get("/bad")
def _bad() -> None:
    raise BadInputError("body.action", "'fly'", "reboot, setpoint")


@application.get("/typed/{number}")
def _typed(number: int) -> int:
    return number


@application.get("/broken")
def _broken() -> None:
    raise RuntimeError("secret detail")


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/refused", 409, "somebody was faster"),
        ("/bad", 409, "body.action: 'fly' (allowed: reboot, setpoint)"),
        ("/typed/x", 422, "the request breaks its contract"),
        ("/absent", 404, "Not Found"),
        ("/broken", 500, "an unexpected error; it has been logged"),
    ],
)
def test_an_error_is_a_problem_document(path: str, status: int, detail: str) -> None:
    answer = TestClient(application, raise_server_exceptions=False).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["detail"]) == (status, detail)
    assert problem["title"] == HTTPStatus(status).phrase
    assert "secret" not in answer.text


def test_a_refused_field_is_named() -> None:
    client = TestClient(application)
    assert client.get("/bad").json()["errors"][0]["field"] == "body.action"
    assert client.get("/typed/x").json()["errors"][0]["field"] == "path.number"
