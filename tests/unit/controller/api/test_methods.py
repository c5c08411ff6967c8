"""A path answers to the methods that are documented for it, and names them all otherwise."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from controller.api.methods import DeclaredMethods

application = FastAPI()
application.add_middleware(DeclaredMethods, described=application)


@application.get("/things")
@application.post("/things")
@application.delete("/things/{number}")
@application.post("/things/all")
def _answer() -> str:
    return "done"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/things", "GET, POST"),
        ("OPTIONS", "/things", "GET, POST"),
        ("GET", "/things/7", "DELETE"),
        ("DELETE", "/things/all", "POST"),
    ],
)
def test_another_method_is_told_all_that_the_path_has(method: str, path: str, allowed: str) -> None:
    answer = TestClient(application).request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


def test_documented_methods_and_undocumented_paths_are_let_through() -> None:
    client = TestClient(application)
    assert client.post("/things/all").status_code == 200
    assert client.delete("/things/7").status_code == 200
    assert client.get("/nothing").status_code == 404
