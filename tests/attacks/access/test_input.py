"""Attacks by what is sent: SQL, headers, names that are paths, bodies too large or too slow."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from controller.access.permissions import COMPANY, Grant, Role
from controller.api.limits import listener_limits
from controller.app import Role as ProcessRole
from controller.app import create_app
from controller.clock import SystemClock
from controller.config import AccessConfig, ControllerConfig, DatabaseConfig, HttpConfig
from controller.storage.engine import Storage
from controller.storage.migrate import migrate
from tests.accounts import PASSWORD, enter_account
from tests.attacks.access.interface import API, Person, state_of
from tests.waiting import wait_for

SQL = ["' OR '1'='1", "root'--", "root'; DROP TABLE users;--", "root\x00", "root%", "\ud7ff" * 9]

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_name_or_password_is_refused(
    application: FastAPI, storage: Storage, text: str
) -> None:
    before = state_of(storage)
    refused = 422 if "\0" in text else 401
    assert Person.at(application).sign_in(text).status_code == refused
    assert Person.at(application).sign_in("root", text).status_code == refused
    assert state_of(storage) == before


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_query_a_path_or_a_bearer_is_refused(
    root: Person, storage: Storage, text: str
) -> None:
    before = state_of(storage)
    for path in ("/nodes", "/events", "/devices", "/alarms", "/commands"):
        answer = root.client.get(f"{API}{path}", params={"node": text, "site": text})
        assert answer.status_code in {200, 422}
        assert answer.status_code == 422 or answer.json()["items"] == []
    assert root.client.get(f"{API}/users/{quote(text)}").status_code in {404, 422}
    headers = {b"Authorization": f"Bearer {text}".encode()}
    assert root.client.get(f"{API}/users", headers=headers).status_code == 401
    assert state_of(storage) == before


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..",
        "a/b",
        "a\\b",
        "%2e%2e",
        ".hidden",
        "A",
        "a b",
        "a\nb",
        "a\x00b",
        "",
    ],
)
def test_an_account_named_like_a_path_or_a_line_is_refused(
    root: Person, storage: Storage, name: str
) -> None:
    before = state_of(storage)
    body = {"name": name, "display_name": "M", "kind": "service"}
    assert root.send("POST", f"{API}/users", body).status_code == 422
    assert state_of(storage) == before


@pytest.mark.parametrize("scope", ["site:../x", "site:", "wallet:a/b", "company:x", "site:A\n", ""])
def test_a_scope_named_like_a_path_is_refused(root: Person, storage: Storage, scope: str) -> None:
    before = state_of(storage)
    body = {"role": "viewer", "scope": scope}
    assert root.send("POST", f"{API}/users/2/grants", body).status_code == 422
    assert state_of(storage) == before


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: x=1", "a\nb", "\x1b[31m"])
def test_a_header_smuggled_into_a_label_is_refused(
    root: Person, storage: Storage, text: str
) -> None:
    before = state_of(storage)
    body = {"name": text, "permissions": ["fleet.read"], "password": PASSWORD}
    answer = root.send("POST", f"{API}/tokens", body)
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers
    assert state_of(storage) == before


def test_a_path_out_of_the_static_files_is_refused(root: Person) -> None:
    for path in ("/static/..%2froutes.py", "/static/%2e%2e/%2e%2e/app.py", "/users/..%2f..%2fetc"):
        assert root.client.get(path).status_code == 404


def test_an_oversized_body_is_refused_before_anybody_reads_it(
    application: FastAPI, storage: Storage
) -> None:
    before = state_of(storage)
    person = Person.at(application)
    assert person.sign_in("x" * 200_000).status_code == 413
    chunks = iter([b'{"name": "', *[b"x" * 50_000] * 4])
    answer = person.client.post(f"{API}/sessions", content=chunks)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert state_of(storage) == before


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[int]:
    """The controller's own application behind its own listener, with tight limits; its port."""
    storage = Storage(f"sqlite:///{tmp_path / 'controller.db'}")
    migrate(storage)
    grants = [Grant(Role.VIEWER, COMPANY)]
    enter_account(storage, SystemClock(), "vera", grants, password=PASSWORD)
    storage.close()
    http = HttpConfig(
        body_s=1.0,
        header_s=1.0,
        unread_s=1.0,
        max_body_bytes=10_000,
        max_header_bytes=4_096,
        max_connections=8,
    )
    config = ControllerConfig(
        database=DatabaseConfig(url=f"sqlite:///{tmp_path / 'controller.db'}"),
        http=http,
        access=AccessConfig(second_factor="when_enrolled"),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config, ProcessRole.API),
            log_config=None,
            host="127.0.0.1",
            port=0,
            log_level="warning",
            timeout_graceful_shutdown=1,
            **listener_limits(http),
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(60)


def converse(port: int, *sent: bytes) -> bytes:
    """What the listener answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for part in sent:
            connection.sendall(part)
        answered = b""
        while part := connection.recv(65_536):
            answered += part
        return answered


def test_a_slow_body_is_refused_and_its_connection_closed(listener: int) -> None:
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    answered = converse(listener, head, b'{"name": ')
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answered


def test_a_body_said_to_be_too_large_is_refused_unread(listener: int) -> None:
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n"
    assert converse(listener, head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"99999999999999999999"])
def test_a_length_that_is_none_is_refused(listener: int, length: bytes) -> None:
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
    assert converse(listener, head)[9:12] in {b"400", b"413"}


def test_headers_that_do_not_come_lose_the_connection(listener: int) -> None:
    assert converse(listener, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""
    assert converse(listener) == b""


def test_headers_that_are_too_large_are_refused(listener: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 20_000
    assert converse(listener, head).startswith(b"HTTP/1.1 400 ")


def test_two_lengths_in_one_request_are_refused(listener: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
    assert converse(listener, head).startswith(b"HTTP/1.1 400 ")


def test_more_connections_than_allowed_are_refused_and_served_again_later(listener: int) -> None:
    held = [socket.create_connection(("127.0.0.1", listener), timeout=60) for _ in range(8)]
    try:
        assert converse(listener, HEALTH).startswith(b"HTTP/1.1 503 ")
    finally:
        for connection in held:
            connection.close()
    served_again(listener)


@pytest.mark.parametrize("size", [40_000, 60_000_000])
@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_a_reader_that_does_not_read_loses_its_connection(size: int, more: bytes) -> None:
    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * size})

    limits = listener_limits(HttpConfig(unread_s=1.0))
    config = uvicorn.Config(answer, port=0, lifespan="off", log_config=None, **limits)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the listener")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        connection.connect(listening.getsockname())
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        wait_for(lambda: not server.server_state.connections, "the connection to be dropped")
    server.should_exit = True
    thread.join(60)


def served_again(listener: int) -> None:
    """Another visitor is let in before long."""
    deadline = time.monotonic() + 60
    while not converse(listener, HEALTH).startswith(b"HTTP/1.1 200 "):
        assert time.monotonic() < deadline
        time.sleep(0.1)
