"""What `bes approve` does with keys and requests on the approver's own machine.

Nothing here believes the controller: the intent is decoded from its bytes, shown from what was
decoded, and the statement that is signed is made from the same. Imports only shared, cryptography
and the standard library.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from shared.approvals.encoding import decode
from shared.approvals.exchange import (
    MAX_DOCUMENT,
    case_from_document,
    decision_from_document,
    read_json,
    to_base64,
)
from shared.approvals.fields import name_text
from shared.approvals.judgement import SignedDecision
from shared.approvals.keys import KeyKind, fingerprint, key_id_of, registration_statement
from shared.approvals.statement import Case, Decision
from shared.approvals.words import headline, lines, time_words
from shared.errors import BadInputError

MIN_PASSPHRASE = 12
_MAX_KEY_FILE = 10_000
_OWN_READ_WRITE = 0o600


class Terminal(Protocol):
    """Where the approver reads and types."""

    def tell(self, text: str) -> None:
        """Shows a line."""
        ...

    def ask(self, question: str) -> str:
        """What is typed, seen."""
        ...

    def ask_secret(self, question: str) -> str:
        """What is typed, unseen."""
        ...


class NotSignedError(Exception):
    """The approver did not confirm; nothing was signed."""


@dataclass(frozen=True, slots=True)
class Key:
    """The approver's key, opened."""

    secret: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """Raw."""
        return self.secret.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """As the controller knows it."""
        return key_id_of(KeyKind.ED25519, self.public_key)

    def registration(self, person: str, name: str) -> dict[str, Any]:
        """The document that registers it for a person."""
        proof = self.secret.sign(registration_statement(person, self.public_key))
        return {
            "name": name,
            "proof": to_base64(proof),
            "public_key": to_base64(self.public_key),
        }


def generate(path: Path, terminal: Terminal) -> Key:
    """Makes a key and keeps it encrypted in a new file that only its owner can read."""
    passphrase = terminal.ask_secret(f"New passphrase, at least {MIN_PASSPHRASE} characters: ")
    if len(passphrase) < MIN_PASSPHRASE:
        raise BadInputError("passphrase", "too short", f"at least {MIN_PASSPHRASE} characters")
    if terminal.ask_secret("The same again: ") != passphrase:
        raise BadInputError("passphrase", "not the same twice", "the same passphrase")
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_READ_WRITE)
    except OSError as error:
        raise BadInputError("key", f"{path}: {error.strerror}", "a new file") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return Key(key)


def load(path: Path, terminal: Terminal) -> Key:
    """Opens the key's file. One without a passphrase is refused."""
    content = read_file(path, _MAX_KEY_FILE, "key")
    if b"ENCRYPTED" not in content:
        raise BadInputError("key", "not encrypted", "a key of `bes approve keygen`")
    passphrase = terminal.ask_secret(f"Passphrase of {path}: ")
    try:
        key = load_pem_private_key(content, passphrase.encode())
    except (ValueError, TypeError) as error:
        raise BadInputError("key", "a wrong passphrase, or no key", "the key's own") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError("key", "of another kind", "an Ed25519 key")
    return Key(key)


def read_file(path: Path, most: int, field: str) -> bytes:
    """A file of at most `most` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BadInputError(field, f"{path}: {error.strerror}", "a readable file") from error
    if len(content) > most:
        raise BadInputError(field, f"{path} is too large", f"at most {most} bytes")
    return content


def read_request(content: bytes, expected_id: str | None = None) -> Case:
    """A request's document; `BadInputError` unless it is whole and the one that was asked for."""
    case = case_from_document(read_json(content, "request"))
    if expected_id is not None and case.request != expected_id:
        raise BadInputError("id", case.request, expected_id)
    decode(case.intent)
    return case


def read_request_file(path: Path) -> Case:
    """A request that was carried here in a file."""
    return read_request(read_file(path, MAX_DOCUMENT, "request"))


def read_decision_file(path: Path) -> tuple[str, dict[str, Any]]:
    """The request's id and the decision that `sign --out` wrote."""
    document = dict(read_json(read_file(path, MAX_DOCUMENT, "decision"), "decision"))
    request_id = name_text(document.pop("request", None), "request")
    decision_from_document(document)
    return request_id, document


def show(case: Case, terminal: Terminal, local: tzinfo | None, now_ms: int) -> None:
    """Every field of the request and its intent, in plain words."""
    intent = decode(case.intent)
    terminal.tell(headline(intent))
    terminal.tell("")
    told = [
        ("Request", case.request),
        ("Asked for by", case.initiator),
        ("Needs", f"{case.policy.quorum} of {', '.join(case.policy.people)}"),
        ("Approvals count until", time_words(case.expires_at_ms, local)),
        *lines(intent, local),
        ("Digest (SHA-256)", case.digest.hex()),
    ]
    width = max(len(label) for label, _ in told)
    for label, value in told:
        terminal.tell(f"  {label:<{width}}  {value}")
    if now_ms >= case.expires_at_ms:
        terminal.tell("")
        terminal.tell("By this machine's clock the request HAS EXPIRED.")


def sign(case: Case, decision: Decision, key_path: Path, terminal: Terminal) -> SignedDecision:
    """Asks for the decision and the digest's first digits to be typed, opens the key, signs."""
    words = f"{decision.value} {case.digest.hex()[:8]}"
    terminal.tell("")
    if terminal.ask(f"To sign, type `{words}`: ").strip() != words:
        raise NotSignedError("that is not it; nothing was signed")
    key = load(key_path, terminal)
    signature = key.secret.sign(case.statement(key.key_id, decision))
    terminal.tell(f"Signed with the key {fingerprint(key.key_id)}.")
    return SignedDecision(key.key_id, decision, signature)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """A JSON document into a new file."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise BadInputError("out", f"{path}: {error.strerror}", "a new file") from error


def printable(text: str) -> str:
    """Text of others with everything that could move the cursor or turn the line made visible."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
