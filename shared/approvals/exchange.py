"""Requests and decisions as the JSON documents that travel between controller and approver.

The same document is the answer of `GET /api/v1/approvals/{id}` and the file that is carried to a
machine without a network; the reader takes only what it can check or must sign, never the sender's
rendering.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.approvals import fields as check
from shared.approvals.encoding import MAX_INTENT
from shared.approvals.judgement import SignedDecision
from shared.approvals.keys import KEY_ID_BYTES, KeyKind
from shared.approvals.passkey import PasskeyAssertion, encode_assertion
from shared.approvals.statement import Case, Decision, Policy
from shared.errors import BadInputError
from shared.messages import cbor

MAX_DOCUMENT = 512 * 1024
_MAX_PIECE = 8 * 1024


def read_json(content: bytes, what: str) -> Mapping[str, Any]:
    """One JSON object with each key once; `BadInputError` otherwise."""
    if len(content) > MAX_DOCUMENT:
        raise BadInputError(what, f"{len(content)} bytes", f"at most {MAX_DOCUMENT} bytes")
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise BadInputError(what, "not JSON, or a key twice", "one JSON object") from error
    return cbor.expect_map(document, what)


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def case_from_document(document: Mapping[str, Any]) -> Case:
    """The request of a document, whose digest is the intent's or it is refused."""
    case = Case(
        request=check.name_text(cbor.take(document, "id"), "id"),
        intent=from_base64(cbor.take(document, "intent"), "intent", 2 * MAX_INTENT),
        initiator=check.name_text(cbor.take(document, "initiator"), "initiator"),
        policy=Policy.from_data(cbor.expect_map(cbor.take(document, "policy"), "policy")),
        expires_at_ms=cbor.expect_int(cbor.take(document, "expires_at_ms"), "expires_at_ms", 1),
    )
    if cbor.take(document, "digest") != case.digest.hex():
        raise BadInputError("digest", "not that of the intent", case.digest.hex())
    return case


def case_to_document(case: Case) -> dict[str, Any]:
    """What `case_from_document` reads."""
    return {
        "digest": case.digest.hex(),
        "expires_at_ms": case.expires_at_ms,
        "id": case.request,
        "initiator": case.initiator,
        "intent": to_base64(case.intent),
        "policy": case.policy.to_data(),
    }


def decision_to_document(signed: SignedDecision) -> dict[str, Any]:
    """An Ed25519 decision as it is sent."""
    return {
        "decision": signed.decision.value,
        "key_id": signed.key_id.hex(),
        "signature": {"kind": KeyKind.ED25519.value, "value": to_base64(signed.signature)},
    }


def decision_from_document(document: Mapping[str, Any]) -> SignedDecision:
    """A decision of either kind of key."""
    decision, key_id, signature = check.take(document, "decision", "key_id", "signature")
    if not isinstance(decision, str) or decision not in set(Decision):
        raise BadInputError("decision", repr(decision)[:60], "approve or refuse")
    return SignedDecision(
        key_id_from_hex(key_id),
        Decision(decision),
        _signature(cbor.expect_map(signature, "signature")),
    )


def _signature(document: Mapping[str, Any]) -> bytes:
    if document.get("kind") == KeyKind.PASSKEY:
        _, *pieces = check.take(document, "kind", "authenticator_data", "client_data", "signature")
        names = ("authenticator_data", "client_data", "signature")
        read = [from_base64(*pair, _MAX_PIECE) for pair in zip(pieces, names, strict=True)]
        return encode_assertion(PasskeyAssertion(*read))
    if document.get("kind") == KeyKind.ED25519:
        _, value = check.take(document, "kind", "value")
        return from_base64(value, "signature.value", _MAX_PIECE)
    raise BadInputError("signature.kind", repr(document.get("kind"))[:60], ", ".join(KeyKind))


def key_id_from_hex(value: object) -> bytes:
    """A key id from its 32 hexadecimal digits."""
    text = cbor.expect_text(value, "key_id", 2 * KEY_ID_BYTES)
    try:
        return check.exact_bytes(bytes.fromhex(text), "key_id", KEY_ID_BYTES)
    except ValueError as error:
        raise BadInputError("key_id", repr(text)[:60], "32 hexadecimal digits") from error


def to_base64(content: bytes) -> str:
    """Standard base64, padded."""
    return base64.b64encode(content).decode()


def from_base64(value: object, field: str, most: int) -> bytes:
    """Base64 in either alphabet, padded or not, of at most `most` characters."""
    text = cbor.expect_text(value, field, most)
    padded = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(field, "not base64", "base64") from error
