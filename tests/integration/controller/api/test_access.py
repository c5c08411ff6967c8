"""Nobody without the token reads or changes anything; the document tells the truth."""

import json
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from controller.access.sessions import COOKIE, seal
from controller.access.tokens import BearerToken
from controller.api.v1 import router
from controller.changes import ChangeKind, record_change
from controller.storage.engine import Storage
from tests.fleets import TOKEN, Fleet
from tests.integration.controller.api.conftest import StoppedClock
from tests.integration.controller.api.test_changing import ORDER

SESSION_SEEN_AT_S = 4_000_000_000


def routes() -> Iterator[tuple[str, str]]:
    """(method, path) of every route of the document, its parameters filled in."""
    application = FastAPI()
    application.include_router(router)
    for path, methods in application.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"\{[^}]*\}", "1", path)


def test_there_are_routes_to_guard() -> None:
    assert len(list(routes())) >= 20


@pytest.mark.parametrize(("method", "path"), list(routes()))
@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_every_route_wants_the_token(
    stranger: TestClient, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = stranger.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_session_reads_and_does_not_change(stranger: TestClient, fleet: Fleet) -> None:
    stranger.cookies.set(COOKIE, seal(BearerToken(TOKEN.encode()), SESSION_SEEN_AT_S))
    assert stranger.get("/api/v1/sites").status_code == 200
    headers = {"Idempotency-Key": "order-0001"}
    assert stranger.post("/api/v1/commands", json=ORDER, headers=headers).status_code == 401


def test_the_openapi_document_validates(application: FastAPI) -> None:
    document = application.openapi()
    validate(document)
    posts = [item["post"] for item in document["paths"].values() if "post" in item]
    assert posts
    for post in posts:
        names = [parameter["name"] for parameter in post["parameters"]]
        assert "Idempotency-Key" in names


def test_the_stream_tells_what_is_committed(
    served: str, storage: Storage, fleet: Fleet, clock: StoppedClock
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with connect(f"ws://{served}/api/v1/stream", additional_headers=headers) as socket:
        for node in ("a-01", "a-02"):
            with storage.write() as conn:
                record_change(conn, clock, ChangeKind.NODE, node, node)
            (change,) = json.loads(socket.recv(timeout=30))["changes"]
            assert (change["kind"], change["subject"], change["data"]) == ("node", node, None)


def refused_with(url: str, headers: dict[str, str]) -> int:
    """The HTTP status with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
        pass
    return refused.value.response.status_code


def test_the_stream_refuses_strangers(served: str) -> None:
    url = f"ws://{served}/api/v1/stream"
    assert refused_with(url, {}) == 403
    assert refused_with(url, {"Authorization": "Bearer wrong"}) == 403


def test_the_stream_takes_a_session_from_our_own_page_only(served: str, fleet: Fleet) -> None:
    url = f"ws://{served}/api/v1/stream"
    session = {"Cookie": f"{COOKIE}={seal(BearerToken(TOKEN.encode()), SESSION_SEEN_AT_S)}"}
    with connect(url, additional_headers={**session, "Origin": f"http://{served}"}):
        pass
    assert refused_with(url, {**session, "Origin": "https://evil.example"}) == 403
    assert refused_with(url, session) == 403
