"""Heads as signed notes: the published example, our own, and what is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from controller.audit.notes import (
    HeadSigner,
    TreeHead,
    key_id,
    parse,
    public_key,
    signed_by,
    unsigned,
    verifier_key,
)
from shared.errors import BadInputError
from shared.merkle import Head
from tests.audit_logs import KEY, ORIGIN, OTHER_KEY

HEAD = TreeHead(ORIGIN, Head(12, bytes(range(32))), 1_764_000_000_123)
SIGNER = HeadSigner(ORIGIN, KEY)
PUBLIC = KEY.public_key()

# The key and signed text of golang.org/x/mod/sumdb/note's own example.
PUBLISHED_NAME = "PeterNeumann"
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PUBLISHED_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


def test_the_key_id_and_signature_are_those_of_the_note_format() -> None:
    key = public_key(PUBLISHED_KEY.encode(), "key")
    raw = base64.b64decode(PUBLISHED_SIGNATURE)
    assert key_id(PUBLISHED_NAME, key) == raw[:4] == bytes.fromhex("c74f20a3")
    key.verify(raw[4:], PUBLISHED_TEXT.encode())
    assert verifier_key(PUBLISHED_NAME, key) == PUBLISHED_KEY


def test_a_note_is_four_lines_and_a_signature_over_them() -> None:
    note = SIGNER.sign(HEAD)
    text, _, below = note.partition("\n\n")
    root = base64.b64encode(bytes(range(32))).decode()
    assert text == f"mine.example/audit\n12\n{root}\ntime_ms 1764000000123"
    dash, name, raw = below.rstrip("\n").split(" ")
    assert (dash, name) == ("—", ORIGIN)
    PUBLIC.verify(base64.b64decode(raw)[4:], (text + "\n").encode())


def test_a_note_is_read_back_as_it_was_signed() -> None:
    note = parse(SIGNER.sign(HEAD))
    assert note.tree_head == HEAD
    assert signed_by(note, [PUBLIC])
    assert signed_by(note, [OTHER_KEY.public_key(), PUBLIC])
    assert not signed_by(note, [OTHER_KEY.public_key()])
    assert not signed_by(note, [])


def test_an_unsigned_note_is_signed_by_nobody() -> None:
    note = parse(unsigned(HEAD))
    assert (note.tree_head, note.signatures) == (HEAD, ())
    assert not signed_by(note, [PUBLIC])


def test_a_witness_may_sign_beside_the_log() -> None:
    line = "— witness.example " + base64.b64encode(b"abcd" + bytes(64)).decode()
    assert signed_by(parse(SIGNER.sign(HEAD) + line + "\n"), [PUBLIC])


def test_a_wrong_signature_of_a_known_key_refuses_the_note_beside_a_good_one() -> None:
    wrong = base64.b64encode(SIGNER.key_id + bytes(64)).decode()
    note = parse(SIGNER.sign(HEAD) + f"— {ORIGIN} {wrong}\n")
    assert not signed_by(note, [PUBLIC])


def test_the_key_signs_for_its_own_log_only() -> None:
    other = HeadSigner("other.example/audit", KEY).sign(HEAD)
    assert not signed_by(parse(other), [PUBLIC])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n12\n", "\n012\n"),
        ("\n12\n", "\n-1\n"),
        ("\n12\n", "\n12 \n"),
        ("\n12\n", "\n١٢\n"),
        ("\n12\n", "\n99999999999999999999\n"),
        ("time_ms ", "time "),
        ("time_ms 1", "time_ms 01"),
        ("time_ms ", "more\ntime_ms "),
        ("mine.example", "mine example"),
        ("mine.example/audit\n", "\n"),
        ("AAEC", "AAE"),
        ("AAEC", "AA=="),
        ("\n\n", "\n"),
        ("— mine", "- mine"),
        ("— mine", "—  mine"),
        ("— mine.example/audit ", "— mine.example/audit %"),
    ],
)
def test_a_note_in_another_form_is_refused(old: str, new: str) -> None:
    note = SIGNER.sign(HEAD)
    assert old in note
    with pytest.raises(BadInputError, match="head"):
        parse(note.replace(old, new, 1))


def test_a_note_without_end_is_refused() -> None:
    with pytest.raises(BadInputError, match="characters"):
        parse(SIGNER.sign(HEAD) + "x" * 5_000)
    with pytest.raises(BadInputError, match="signatures"):
        parse(SIGNER.sign(HEAD).rstrip("\n"))
    line = "— w.example " + base64.b64encode(b"abcd" + bytes(8)).decode() + "\n"
    with pytest.raises(BadInputError, match="at most 16"):
        parse(SIGNER.sign(HEAD) + line * 16)
    with pytest.raises(BadInputError, match="key id"):
        parse(unsigned(HEAD) + "— w.example AAAA\n")


def test_a_public_key_is_read_from_pem() -> None:
    pem = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    found = public_key(pem, "key")
    assert isinstance(found, Ed25519PublicKey)
    assert found == PUBLIC


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\n", b"a+b+AgAA", b"a+b+AQAA"]
)
def test_what_is_no_public_key_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError, match="key"):
        public_key(content, "key")
