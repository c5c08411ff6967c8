"""`bes audit` against a database, and against an interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from controller.audit import Personal, queue_leaf
from controller.audit.cli import main
from controller.audit.fetch import Interface, fetched
from controller.audit.people import find_trace
from controller.audit.workers import signing
from controller.config import load_config
from controller.storage.engine import Storage
from shared.errors import BadInputError
from tests.audit_logs import KEY, ORIGIN, fill
from tests.nodes import NOON_MS


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Path:
    """A controller's configuration with the log's key beside it."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "audit.key").write_bytes(pem)
    file = tmp_path / "controller.toml"
    file.write_text(
        f'[database]\nurl = "{database_url}"\n'
        f'[audit]\norigin = "{ORIGIN}"\nsigning_key_file = "audit.key"\n'
    )
    return file


@pytest.fixture
def key(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The public key, as the controller's host prints it."""
    assert main(["key", "--config", str(config)]) == 0
    told = capsys.readouterr()
    file = tmp_path / "audit.pub"
    file.write_text(told.out)
    (tmp_path / "audit.vkey").write_text(told.err.split(": ")[1])
    return file


def test_an_export_is_verified_with_the_printed_key_and_continues_a_kept_head(
    config: Path, key: Path, tmp_path: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(storage, 5, 4)
    export, kept = tmp_path / "log.jsonl", tmp_path / "kept.head"
    assert main(["export", "--config", str(config), "--output", str(export)]) == 0
    assert export.stat().st_mode & 0o077 == 0
    assert main(["verify", str(export), "--key", str(key), "--keep-head", str(kept)]) == 0
    assert "log mine.example/audit: everything holds" in capsys.readouterr().out
    fill(storage, 3, first=9)
    assert main(["export", "--config", str(config), "--output", str(export)]) == 0
    arguments = ["verify", str(export), "--key", str(key), "--previous", str(kept)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "heads kept earlier: 1" in told
    assert "newest head: size 12" in told


def test_the_key_is_taken_as_a_note_verifier_key_too(
    config: Path, key: Path, tmp_path: Path, storage: Storage
) -> None:
    fill(storage, 2)
    export = tmp_path / "log.jsonl"
    assert main(["export", "--config", str(config), "--output", str(export)]) == 0
    assert main(["verify", str(export), "--key", str(key.with_suffix(".vkey"))]) == 0
    assert main(["verify", str(export), "--without-key"]) == 0


def test_an_empty_log_is_exported_and_holds(
    config: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "log.jsonl"
    assert main(["export", "--config", str(config), "--output", str(export)]) == 0
    assert main(["verify", str(export), "--key", str(key)]) == 0
    assert "the log is empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify", "missing.jsonl", "--without-key"], "No such file"),
        (["verify", "audit.pub", "--key", "missing.pub"], "No such file"),
        (["verify", "audit.pub", "--key", "controller.toml"], "key"),
        (["verify", "audit.pub", "--key", "audit.pub", "--previous", "audit.pub"], "head"),
        (
            ["verify", "audit.pub", "--key", "audit.pub", "--authority-roots", "controller.toml"],
            "authority-roots",
        ),
        (["export", "--url", "https://127.0.0.1:1", "--output", "o"], "token-file"),
        (
            ["export", "--url", "https://127.0.0.1:1", "--token-file", "none", "--output", "o"],
            "token-file",
        ),
        (
            ["export", "--url=http://127.0.0.1:1", "--token-file=audit.pub", "--output=o"],
            "refused",
        ),
        (["key", "--config", "missing.toml"], "missing.toml"),
    ],
)
def test_what_cannot_be_used_is_told_with_exit_status_2(
    key: Path,
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(key.parent)
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_a_broken_export_leaves_the_earlier_file_as_it_was(
    config: Path, tmp_path: Path, storage: Storage
) -> None:
    fill(storage, 2)
    export = tmp_path / "log.jsonl"
    assert main(["export", "--config", str(config), "--output", str(export)]) == 0
    before = export.read_bytes()
    (tmp_path / "token").write_text("t" * 40)
    arguments = ["export", "--url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token")]
    assert main([*arguments, "--output", str(export)]) == 2
    assert export.read_bytes() == before


def test_a_person_is_traced_and_erased(
    config: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Personal("login", "ada")
    with storage.write() as conn:
        queue_leaf(conn, kind="test", actor=person, subject="x", data={}, now_ms=NOON_MS)
        trace = find_trace(conn, person)
    arguments = ["--config", str(config), "login", "ada"]
    assert main(["trace", *arguments]) == 0
    assert capsys.readouterr().out == f"{trace}\n"
    assert main(["erase", *arguments]) == 0
    assert main(["trace", *arguments]) == 1
    assert main(["erase", *arguments]) == 1


def test_the_section_is_read_with_paths_beside_the_file(config: Path) -> None:
    read = load_config(config).audit
    found = signing(read)
    assert found.origin == ORIGIN
    assert found.signer is not None
    assert found.signer.key.public_key() == KEY.public_key()


def test_an_export_over_http_asks_with_the_token(
    tmp_path: Path, storage: Storage, interface: tuple[str, list[str]]
) -> None:
    fill(storage, 3)
    url, tokens = interface
    (tmp_path / "token").write_text("t" * 40 + "\n")
    with fetched(Interface(url, tmp_path / "token")) as pieces:
        assert b'"end":3' in b"".join(pieces)
    assert tokens == ["Bearer " + "t" * 40]


def test_a_token_is_not_sent_where_others_read_along(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t" * 40 + "\n")
    elsewhere = Interface("http://controller.example:8080", tmp_path / "token")
    with pytest.raises(BadInputError, match="in the clear"), fetched(elsewhere):
        raise AssertionError("something was sent")


@pytest.fixture
def interface(storage: Storage) -> Iterator[tuple[str, list[str]]]:
    """A server that gives the export to whoever asks, and the tokens that it was shown."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from controller.audit.export import export_lines

    tokens: list[str] = []

    class Gives(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_response(200 if self.path == "/api/v1/audit/export" else 404)
            self.end_headers()
            for piece in export_lines(storage):
                self.wfile.write(piece)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gives)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", tokens
    server.shutdown()
    server.server_close()
    thread.join(30)
