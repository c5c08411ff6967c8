"""`bes approve` against a controller that serves, and against one that lies."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from controller.access.approvals.cli import main
from controller.storage import tables
from shared.approvals.exchange import case_to_document, from_base64
from shared.approvals.keys import KeyKind, key_id_of
from tests.approvers import case_of
from tests.fleets import TOKEN
from tests.integration.controller.api.approvals.test_approvals import issued, waiting
from tests.offices import Office
from tests.unit.controller.access.approvals.terminals import FakeTerminal


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The token that the tests hold."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def make_key(office: Office, folder: Path, person: str) -> Path:
    """A person's key, made by the command and confirmed."""
    path, terminal = folder / f"{person}.pem", FakeTerminal()
    assert main(["keygen", "--person", person, "--key", str(path)], terminal) == 0
    document = json.loads(next(text for text in terminal.shown if text.startswith("{")))
    public_key = from_base64(document["public_key"], "public_key", 100)
    with office.storage.write() as conn:
        conn.execute(
            insert(tables.approval_keys).values(
                user_id=office.users[person],
                kind="ed25519",
                key_id=key_id_of(KeyKind.ED25519, public_key),
                public_key=public_key,
                name="laptop",
                created_ms=office.clock.now_ms(),
                confirmed_ms=office.clock.now_ms(),
            )
        )
    return path


def run(address: str, token_file: Path, *arguments: str) -> tuple[int, str]:
    """The command against a controller: its status, and what it showed."""
    terminal = FakeTerminal()
    where = ["--url", f"http://{address}", "--token-file", str(token_file)]
    return main([*arguments, *where], terminal), terminal.text


def test_two_people_sign_what_they_read_and_the_command_is_issued(
    client: TestClient, served: str, office: Office, token_file: Path, tmp_path: Path
) -> None:
    request_id = waiting(client)
    status, listed = run(served, token_file, "list")
    assert (status, request_id in listed) == (0, True)
    status, shown = run(served, token_file, "show", request_id)
    assert (status, "On node a-01 of site site-a: stop site" in shown) == (0, True)
    for person, state in (("alice", "pending"), ("bob", "used")):
        key = str(make_key(office, tmp_path, person))
        status, told = run(served, token_file, "sign", request_id, "--key", key)
        assert (status, told.splitlines()[-1]) == (0, f"Sent. The request is {state}.")
    assert len(issued(office.storage)) == 1
    assert run(served, token_file, "list") == (0, "Nothing waits for approvals.")


def test_what_the_controller_refuses_is_told(
    client: TestClient,
    served: str,
    office: Office,
    token_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request_id = waiting(client)
    key = str(make_key(office, tmp_path, "eve"))
    assert run(served, token_file, "sign", request_id, "--key", key)[0] == 1
    assert "409: eve is not named by the policy" in capsys.readouterr().err
    assert run(served, token_file, "show", "no-such-request")[0] == 1
    assert "404" in capsys.readouterr().err
    token_file.write_text("x" * 40)
    assert run(served, token_file, "list")[0] == 1
    assert "401" in capsys.readouterr().err
    with office.storage.read() as conn:
        assert conn.execute(select(tables.approvals)).all() == []


def test_a_decision_signed_without_a_network_is_handed_in_by_another(
    client: TestClient, served: str, office: Office, token_file: Path, tmp_path: Path
) -> None:
    request_id = waiting(client)
    request, decision = tmp_path / "request.json", tmp_path / "decision.json"
    request.write_bytes(client.get(f"/api/v1/approvals/{request_id}").content)
    key = str(make_key(office, tmp_path, "alice"))
    arguments = ["sign", "--request", str(request), "--key", key, "--out", str(decision)]
    assert main(arguments, FakeTerminal()) == 0
    assert run(served, token_file, "send", str(decision)) == (0, "The request is pending.")
    assert run(served, token_file, "send", str(decision))[0] == 1
    assert run(served, token_file, "send", str(request))[0] == 1


@contextmanager
def liar(answer: bytes, status: int = 200) -> Iterator[str]:
    """A controller that answers everything alike; its address."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *_arguments: Any) -> None:  # noqa: A002
            assert format

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


OTHER = json.dumps(case_to_document(case_of(request="request-2"))).encode()
TRICK = json.dumps({"items": [{"id": "x", "headline": "pay\x1b[2J\u202etxet"}]}).encode()


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"", 200), (b"[]", 200), (OTHER, 200), (b"{}", 302), (b"\xff" * 600_000, 200), (b"{}", 500)],
    ids=["nothing", "a list", "another request", "elsewhere", "too much", "a failure"],
)
def test_a_controller_that_answers_something_else_is_not_believed(
    token_file: Path, answer: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with liar(answer, status) as address:
        assert run(address, token_file, "show", "request-1") == (1, "")
    assert capsys.readouterr().err.startswith("bes approve: ")


def test_a_controller_cannot_move_the_cursor(token_file: Path) -> None:
    with liar(TRICK) as address:
        status, text = run(address, token_file, "list")
    assert status == 0
    assert all(line.isprintable() for line in text.splitlines())
    assert "pay\\u001b[2J\\u202etxet" in text


def test_a_controller_that_is_not_there_is_told(
    token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with liar(b"") as address:
        gone = address
    assert run(gone, token_file, "list")[0] == 1
    assert "cannot be asked" in capsys.readouterr().err
