"""Nobody without the token reads or changes anything; the document tells the truth."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from sqlalchemy import insert
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from controller.access.permissions import COMPANY, Grant, Role, site_scope
from controller.access.session_life import Stage
from controller.access.sessions import Opened, Visitor, open_session
from controller.api.v1 import router
from controller.changes import ChangeKind, record_change
from controller.storage import tables
from controller.storage.engine import Storage
from tests.accounts import enter_account
from tests.fleets import TOKEN, Fleet
from tests.integration.controller.api.conftest import StoppedClock
from tests.integration.controller.api.test_changing import ORDER
from tests.routes import Guarded, guarded_routes

ORIGIN = "http://testserver"
MADE_ONCE_ANYWAY = ("/sessions", "/account", "/tokens", "/users", "/enrolment", "/approval")
"""Their POSTs answer with secrets that are not kept, or are refused the second time by state."""


def routes() -> list[Guarded]:
    """Every route that is not open to all."""
    application = FastAPI(docs_url=None, redoc_url=None)
    application.include_router(router)
    return [
        route
        for route in guarded_routes(application)
        if not route.is_open and route.method != "WEBSOCKET"
    ]


def test_there_are_routes_to_guard() -> None:
    assert len(routes()) >= 20


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_every_route_wants_the_token(stranger: TestClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for route in routes():
        answer = stranger.request(route.method, route.path, headers=headers)
        assert answer.status_code == 401, route
        assert answer.headers["www-authenticate"] == "Bearer"


def session_of(storage: Storage, clock: StoppedClock) -> Opened:
    """A whole session of an operator."""
    user_id = enter_account(storage, clock, "olga", [Grant(Role.OPERATOR, COMPANY)])
    with storage.write() as conn:
        visitor = Visitor("nowhere", "a test")
        return open_session(conn, user_id, Stage.FULL, visitor, clock.real_ms())


def test_a_session_reads_and_changes_with_its_csrf_token_only(
    stranger: TestClient, storage: Storage, clock: StoppedClock, fleet: Fleet
) -> None:
    session = session_of(storage, clock)
    stranger.cookies.set("bes_session", session.secret)
    assert stranger.get("/api/v1/sites").status_code == 200
    headers = {"Idempotency-Key": "order-0001", "Origin": ORIGIN}
    answer = stranger.post("/api/v1/commands", json=ORDER, headers=headers)
    assert answer.status_code == 403
    headers["X-CSRF-Token"] = session.csrf
    assert stranger.post("/api/v1/commands", json=ORDER, headers=headers).status_code == 201


def test_the_openapi_document_validates(application: FastAPI) -> None:
    document = application.openapi()
    validate(document)
    posts = [
        item["post"]
        for path, item in document["paths"].items()
        if "post" in item and not path.removeprefix("/api/v1").startswith(MADE_ONCE_ANYWAY)
    ]
    assert posts
    for post in posts:
        names = [parameter["name"] for parameter in post["parameters"]]
        assert {"Idempotency-Key", "If-Match"} & set(names)


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


def test_the_stream_takes_a_session_from_our_own_page_only(
    served: str, storage: Storage, clock: StoppedClock, fleet: Fleet
) -> None:
    url = f"ws://{served}/api/v1/stream"
    session = {"Cookie": f"bes_session={session_of(storage, clock).secret}"}
    with connect(url, additional_headers={**session, "Origin": f"http://{served}"}):
        pass
    assert refused_with(url, {**session, "Origin": "https://evil.example"}) == 403
    assert refused_with(url, session) == 403


def test_the_stream_tells_a_site_s_viewer_of_that_site_only(
    served: str, storage: Storage, fleet: Fleet, clock: StoppedClock
) -> None:
    with storage.write() as conn:
        conn.execute(insert(tables.sites).values(id="site-b", name="Site B", created_ms=0))
        conn.execute(insert(tables.nodes).values(name="b-01", site_id="site-b", created_ms=0))
    grants = [Grant(Role.VIEWER, site_scope("site-b"))]
    enter_account(storage, clock, "bert", grants, token="b" * 40)
    headers = {"Authorization": f"Bearer {'b' * 40}"}
    with connect(f"ws://{served}/api/v1/stream", additional_headers=headers) as socket:
        for node in ("a-01", "b-01"):
            with storage.write() as conn:
                record_change(conn, clock, ChangeKind.NODE, node, node)
        (change,) = json.loads(socket.recv(timeout=30))["changes"]
        assert change["node"] == "b-01"
