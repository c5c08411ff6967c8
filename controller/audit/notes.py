"""Tree heads as signed notes: the checkpoint format of c2sp.org/tlog-checkpoint. Pure.

A head's text is four lines: the log's origin, the size, the root in base64, and the extension line
`time_ms N`, when it was made. Signature lines follow after an empty line, each Ed25519 over the
text (c2sp.org/signed-note); a head of a log without a key has none. So other tools that read
checkpoints read ours.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from shared.errors import BadInputError
from shared.merkle import HASH_BYTES, Head

MAX_NOTE_CHARS = 4_096
ORIGIN = r"^[A-Za-z0-9._~/-]{1,100}$"
_MAX_SIGNATURES = 16
_MAX_KEY_BYTES = 8_192
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_TIME = "time_ms "


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A head as it is signed; `time_ms` is UTC."""

    origin: str
    head: Head
    time_ms: int

    def text(self) -> str:
        """What signatures are over."""
        root = base64.b64encode(self.head.root).decode()
        return f"{self.origin}\n{self.head.size}\n{root}\n{_TIME}{self.time_ms}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A head with the signatures that stand under it."""

    tree_head: TreeHead
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class HeadSigner:
    """The log's key; its name is the log's origin."""

    origin: str
    key: Ed25519PrivateKey

    @classmethod
    def load(cls, origin: str, path: Path) -> "HeadSigner":
        """Reads an unencrypted Ed25519 PEM; `BadInputError` when it is none."""
        try:
            with path.open("rb") as file:
                key = load_pem_private_key(file.read(_MAX_KEY_BYTES), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise BadInputError("audit.signing_key_file", str(path), "a PEM key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInputError("audit.signing_key_file", str(path), "an Ed25519 key")
        return cls(origin, key)

    @property
    def key_id(self) -> bytes:
        """The id in the signature lines."""
        return key_id(self.origin, self.key.public_key())

    def sign(self, tree_head: TreeHead) -> str:
        """The note."""
        text = tree_head.text()
        signed = base64.b64encode(self.key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n— {self.origin} {signed}\n"


def unsigned(tree_head: TreeHead) -> str:
    """The note of a log without a key: the text, and no signature."""
    return tree_head.text() + "\n"


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """The first 4 bytes of SHA-256 over name, newline, signature type and raw key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.public_bytes_raw()).digest()[
        :_KEY_ID_BYTES
    ]


def public_key(content: bytes, field: str) -> Ed25519PublicKey:
    """A public key in PEM, or as a note verifier key (`NAME+ID+BASE64`)."""
    try:
        if content.startswith(b"-----"):
            key = load_pem_public_key(content)
            if isinstance(key, Ed25519PublicKey):
                return key
        else:
            encoded = content.strip().split(b"+", 2)[-1]  # base64 has a + of its own
            raw = base64.b64decode(encoded, validate=True)
            if raw[:1] == _ED25519:
                return Ed25519PublicKey.from_public_bytes(raw[1:])
    except (ValueError, binascii.Error) as error:
        raise BadInputError(field, str(error)[:100], "an Ed25519 public key") from error
    raise BadInputError(field, "another kind of key", "an Ed25519 public key in PEM")


def verifier_key(name: str, key: Ed25519PublicKey) -> str:
    """The key as other readers of signed notes take it."""
    body = base64.b64encode(_ED25519 + key.public_bytes_raw()).decode()
    return f"{name}+{key_id(name, key).hex()}+{body}"


def parse(note: str) -> Note:
    """Reads a note; `BadInputError` names the line that is wrong. Verifies nothing."""
    if len(note) > MAX_NOTE_CHARS:
        raise BadInputError("head", f"{len(note)} characters", f"at most {MAX_NOTE_CHARS}")
    text, separator, below = note.partition("\n\n")
    if not separator:
        raise BadInputError("head", "no empty line", "text, an empty line, signature lines")
    lines = text.split("\n")
    if len(lines) != 4 or not lines[3].startswith(_TIME):
        raise BadInputError("head", f"{len(lines)} lines", "origin, size, root, time_ms")
    if not re.fullmatch(ORIGIN, lines[0]):
        raise BadInputError("head.origin", repr(lines[0])[:100], ORIGIN)
    tree_head = TreeHead(
        lines[0],
        Head(_number("head.size", lines[1]), _root(lines[2])),
        _number("head.time_ms", lines[3].removeprefix(_TIME)),
    )
    if tree_head.text() != text + "\n":
        raise BadInputError("head", "not in its one form", "no leading zeros, standard base64")
    return Note(tree_head, _signatures(below))


def signed_by(note: Note, keys: Sequence[Ed25519PublicKey]) -> bool:
    """Whether one of the keys signed the head, and none of those named did so wrongly."""
    text = note.tree_head.text().encode()
    found = False
    for one in note.signatures:
        for key in keys:
            if one.name != note.tree_head.origin or one.key_id != key_id(one.name, key):
                continue
            try:
                key.verify(one.signature, text)
            except InvalidSignature:
                return False
            found = True
    return found


def _signatures(below: str) -> tuple[Signature, ...]:
    lines = below.split("\n")
    if lines.pop() != "" or len(lines) > _MAX_SIGNATURES:
        allowed = f"at most {_MAX_SIGNATURES} lines, the last one ended"
        raise BadInputError("head.signatures", f"{len(lines)} lines", allowed)
    return tuple(_signature(line) for line in lines)


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not parts[1] or "+" in parts[1]:
        raise BadInputError("head.signatures", repr(line)[:60], "— NAME BASE64")
    try:
        raw = base64.b64decode(parts[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadInputError("head.signatures", "not base64", "base64") from error
    if len(raw) <= _KEY_ID_BYTES:
        raise BadInputError("head.signatures", f"{len(raw)} bytes", "a key id and a signature")
    return Signature(parts[1], raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])


def _number(field: str, text: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text):
        raise BadInputError(field, repr(text)[:40], "a decimal number without leading zeros")
    return int(text)


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadInputError("head.root", repr(text)[:60], "base64") from error
    if len(root) != HASH_BYTES:
        raise BadInputError("head.root", f"{len(root)} bytes", f"{HASH_BYTES} bytes")
    return root
