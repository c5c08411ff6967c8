"""`bes approve` on a machine without a network."""

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from controller.access.approvals.cli import main
from shared.approvals.exchange import (
    case_to_document,
    decision_from_document,
    from_base64,
    to_base64,
)
from shared.approvals.judgement import SignedDecision, Trust, judge
from shared.approvals.keys import ApproverKey, KeyKind, prove_possession
from shared.approvals.life import ApprovalState
from shared.approvals.statement import Case
from shared.messages import cbor
from tests.approvers import COMMAND, PARTY, PAYMENT, case_of, with_file
from tests.fleets import NOW_MS
from tests.unit.controller.access.approvals.terminals import PASSPHRASE, FakeTerminal


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Alice's key, made by the command."""
    path = tmp_path / "alice.pem"
    assert main(["keygen", "--person", "alice", "--key", str(path)], FakeTerminal()) == 0
    return path


def registered(key: Path) -> ApproverKey:
    """The key as the controller would know it."""
    secret = load_pem_private_key(key.read_bytes(), PASSPHRASE.encode())
    public_key = secret.public_key().public_bytes_raw()  # type: ignore[union-attr]
    return ApproverKey("alice", KeyKind.ED25519, public_key)


def request_file(folder: Path, case: Case, **changed: Any) -> Path:
    """The request's document in a file."""
    path = folder / "request.json"
    path.write_text(json.dumps({**case_to_document(case), **changed}))
    return path


def sign(folder: Path, key: Path, request: Path, terminal: FakeTerminal, *more: str) -> int:
    """Signs offline."""
    out = str(folder / "decision.json")
    arguments = ["sign", "--request", str(request), "--key", str(key), "--out", out, *more]
    return main(arguments, terminal)


def written(folder: Path, case: Case) -> SignedDecision:
    """The decision that was written for a request."""
    document = json.loads((folder / "decision.json").read_text())
    assert document.pop("request") == case.request
    return decision_from_document(document)


def test_keygen_keeps_the_key_encrypted_and_gives_what_registers_it(tmp_path: Path) -> None:
    path, terminal = tmp_path / "key.pem", FakeTerminal()
    assert main(["keygen", "--person", "alice", "--key", str(path)], terminal) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        load_pem_private_key(path.read_bytes(), None)
    document = json.loads(next(text for text in terminal.shown if text.startswith("{")))
    public_key = from_base64(document["public_key"], "public_key", 100)
    prove_possession("alice", public_key, from_base64(document["proof"], "proof", 200))
    assert registered(path).public_key == public_key
    assert f"Fingerprint: {registered(path).key_id.hex(':', 2)}" in terminal.shown


@pytest.mark.parametrize("secrets", [["short", "short"], ["long enough one", "long enough two"]])
def test_keygen_wants_one_long_passphrase(tmp_path: Path, secrets: list[str]) -> None:
    path = tmp_path / "key.pem"
    arguments = ["keygen", "--person", "alice", "--key", str(path)]
    assert main(arguments, FakeTerminal(secrets=secrets)) == 1
    assert not path.exists()


def test_keygen_overwrites_nothing(key: Path) -> None:
    before = key.read_bytes()
    assert main(["keygen", "--person", "alice", "--key", str(key)], FakeTerminal()) == 1
    assert key.read_bytes() == before


def test_what_is_signed_offline_counts(tmp_path: Path, key: Path) -> None:
    case, terminal = case_of(PAYMENT, quorum=1), FakeTerminal()
    assert sign(tmp_path, key, request_file(tmp_path, case), terminal) == 0
    signed = written(tmp_path, case)
    trust = Trust({registered(key).key_id: registered(key)}, PARTY)
    assert judge(case, [signed], trust, NOW_MS).state is ApprovalState.APPROVED


def test_a_refusal_is_signed_as_one(tmp_path: Path, key: Path) -> None:
    case, terminal = case_of(COMMAND), FakeTerminal()
    assert sign(tmp_path, key, request_file(tmp_path, case), terminal, "--refuse") == 0
    assert "refuse " + case.digest.hex()[:8] in terminal.text
    signed = written(tmp_path, case)
    trust = Trust({registered(key).key_id: registered(key)}, PARTY)
    assert judge(case, [signed], trust, NOW_MS).state is ApprovalState.REFUSED


def test_every_field_is_shown_before_anything_is_asked(tmp_path: Path, key: Path) -> None:
    case, terminal = case_of(PAYMENT), FakeTerminal()
    sign(tmp_path, key, request_file(tmp_path, case), terminal)
    asked = next(n for n, text in enumerate(terminal.shown) if "type `" in text)
    before = "\n".join(terminal.shown[:asked])
    for text in (
        "1.50000000 BTC (150000000 sat)",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "script 6a046d656d6f",
        "0.00020000 BTC (20000 sat)",
        "operations/two-of-three",
        "2024-05-09 12:00:00.000 UTC (here ",
        PAYMENT.unique.hex(),
        case.digest.hex(),
        "2 of alice, bob, carol",
        "dave",
        "HAS EXPIRED",
    ):
        assert text in before, text


def test_the_senders_rendering_is_not_looked_at(tmp_path: Path, key: Path) -> None:
    request = request_file(
        tmp_path, case_of(), headline="Pay 0.1 BTC", lines=[{"label": "To", "value": "a friend"}]
    )
    terminal = FakeTerminal()
    assert main(["show", "--request", str(request)], terminal) == 0
    assert "a friend" not in terminal.text
    assert "0.1 BTC" not in terminal.text


@pytest.mark.parametrize("typed", ["", "yes\n", "approve\n", "approve 00000000\n"])
def test_nothing_is_signed_without_the_typed_words(tmp_path: Path, key: Path, typed: str) -> None:
    terminal = FakeTerminal(typed=typed)
    assert sign(tmp_path, key, request_file(tmp_path, case_of()), terminal) == 1
    assert not (tmp_path / "decision.json").exists()
    assert "Passphrase" not in terminal.text


def test_a_wrong_passphrase_signs_nothing(tmp_path: Path, key: Path) -> None:
    terminal = FakeTerminal(secrets=["another passphrase"])
    assert sign(tmp_path, key, request_file(tmp_path, case_of()), terminal) == 1
    assert not (tmp_path / "decision.json").exists()


def test_a_key_without_a_passphrase_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.pem"
    plain = with_file("alice").secret.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.write_bytes(plain)
    assert sign(tmp_path, path, request_file(tmp_path, case_of()), FakeTerminal()) == 1


def _frame(**changed: Any) -> str:
    fields = {**PAYMENT.to_fields(), **changed.pop("fields", {})}
    return to_base64(cbor.encode({"fields": fields, "kind": "payment", "version": 1, **changed}))


@pytest.mark.parametrize(
    "intent",
    [
        _frame(kind="gift"),
        _frame(version=2),
        _frame(more=1),
        _frame(fields={"memo": "lunch"}),
        _frame(fields={"wallet": "treas\u202eury"}),
        _frame(fields={"wallet": "treasury\x1b[2J"}),
        to_base64(case_of().intent + b"\x00"),
        to_base64(b"\x00"),
    ],
    ids=[
        "an unknown kind",
        "an unknown version",
        "more in the frame",
        "an unknown field",
        "a turned direction",
        "a terminal's control characters",
        "something behind it",
        "no intent",
    ],
)
def test_an_intent_that_is_not_what_it_should_be_is_neither_shown_nor_signed(
    tmp_path: Path, key: Path, intent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = replace(case_of(), intent=from_base64(intent, "intent", 100_000))
    terminal = FakeTerminal()
    assert sign(tmp_path, key, request_file(tmp_path, case), terminal) == 1
    assert terminal.shown == []
    told = capsys.readouterr().err
    assert told.startswith("bes approve: ")
    assert told.strip().isprintable()


def test_a_digest_that_is_not_what_it_computed_is_refused(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = case_of(COMMAND).digest.hex()
    terminal = FakeTerminal()
    assert sign(tmp_path, key, request_file(tmp_path, case_of(), digest=other), terminal) == 1
    assert terminal.shown == []
    assert "digest" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{", '{"id": "a", "id": "b"}', "\x00" * 600_000])
def test_a_file_that_is_no_request_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(content)
    assert main(["show", "--request", str(path)], FakeTerminal()) == 1


def test_a_request_is_named_in_one_way(tmp_path: Path, key: Path) -> None:
    request = str(request_file(tmp_path, case_of()))
    assert main(["show"], FakeTerminal()) == 1
    assert main(["show", "an-id", "--request", request], FakeTerminal()) == 1
    assert main(["show", "an-id"], FakeTerminal()) == 1
    assert main(["sign", "--request", request, "--key", str(key)], FakeTerminal()) == 1
    assert main(["show", "--request", str(tmp_path / "missing")], FakeTerminal()) == 1


def test_a_decision_overwrites_nothing(tmp_path: Path, key: Path) -> None:
    (tmp_path / "decision.json").write_text("kept")
    assert sign(tmp_path, key, request_file(tmp_path, case_of()), FakeTerminal()) == 1
    assert (tmp_path / "decision.json").read_text() == "kept"


@pytest.mark.parametrize(
    "url", ["http://controller.example", "ftp://x", "https://", "https://h/path", "https://h?q=1"]
)
def test_a_token_is_not_sent_in_clear_text(tmp_path: Path, url: str) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 40)
    arguments = ["list", "--url", url, "--token-file", str(token)]
    assert main(arguments, FakeTerminal()) == 1


def test_it_imports_nothing_of_the_controller_but_itself() -> None:
    program = (
        "import json, sys, controller.access.approvals.cli\n"
        "third = {m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(json.dumps([m for m in third if not m.startswith('_')]))\n"
        "print(json.dumps([m for m in sys.modules if m.startswith('controller.')]))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    third, ours = map(json.loads, told.stdout.splitlines())
    assert set(third) <= {"cbor2", "controller", "cryptography", "shared"}
    assert set(ours) == {
        "controller.access",
        "controller.access.approvals",
        "controller.access.approvals.cli",
        "controller.access.approvals.client",
        "controller.access.approvals.signing",
    }
