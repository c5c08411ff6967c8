"""WebAuthn assertions (W3C WebAuthn level 3, section 7.2), verified from their raw pieces.

Stricter than the specification where we can be: the user must be verified (PIN or fingerprint),
the page must not be embedded in another, and no extension or attested data may follow.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.approvals import cose
from shared.errors import BadInputError
from shared.messages import cbor

USER_PRESENT, USER_VERIFIED = 0x01, 0x04
_BACKUP_ELIGIBLE, _BACKED_UP = 0x08, 0x10
_AUTHENTICATOR_DATA = 37
_MAX_CLIENT_DATA = 4_096
_MAX_SIGNATURE = 256


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for: the RP id (a domain) and the origins of its pages."""

    id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PasskeyAssertion:
    """The pieces of an assertion, as the browser gives them."""

    authenticator_data: bytes
    client_data: bytes
    signature: bytes


def verify_assertion(
    assertion: PasskeyAssertion, public_key: bytes, party: RelyingParty, challenge: bytes
) -> int:
    """The authenticator's signature counter, once everything about the assertion is proven.

    `BadInputError` names the piece that is wrong: `client_data`, `challenge`, `origin`,
    `authenticator_data` or `signature`.
    """
    _check_client_data(assertion.client_data, party, challenge)
    counter = _check_authenticator_data(assertion.authenticator_data, party)
    if len(assertion.signature) > _MAX_SIGNATURE:
        raise BadInputError("signature", "too long", f"at most {_MAX_SIGNATURE} bytes")
    signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    cose.verify(cose.read_cose_key(public_key), assertion.signature, signed)
    return counter


def _check_client_data(content: bytes, party: RelyingParty, challenge: bytes) -> None:
    client = _json_object(content)
    if client.get("type") != "webauthn.get":
        raise BadInputError("client_data", f"type {client.get('type')!r}"[:80], "webauthn.get")
    offered = client.get("challenge")
    expected = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
    if not isinstance(offered, str) or not hmac.compare_digest(offered.encode(), expected.encode()):
        raise BadInputError("challenge", "of something else", "the digest of this decision")
    if client.get("origin") not in party.origins:
        raise BadInputError(
            "origin", repr(client.get("origin"))[:100], ", ".join(party.origins) or "none at all"
        )
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise BadInputError("origin", "a page inside another", "a page of its own")


def _json_object(content: bytes) -> Mapping[str, Any]:
    if len(content) > _MAX_CLIENT_DATA:
        raise BadInputError("client_data", "too long", f"at most {_MAX_CLIENT_DATA} bytes")
    try:
        client = json.loads(content.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise BadInputError("client_data", "not JSON, or a key twice", "one JSON object") from error
    if not isinstance(client, dict):
        raise BadInputError("client_data", type(client).__name__, "one JSON object")
    return client


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _check_authenticator_data(content: bytes, party: RelyingParty) -> int:
    if len(content) != _AUTHENTICATOR_DATA:
        raise BadInputError(
            "authenticator_data", f"{len(content)} bytes", "37 bytes without extensions"
        )
    if not hmac.compare_digest(content[:32], hashlib.sha256(party.id.encode()).digest()):
        raise BadInputError("authenticator_data", "of another RP id", party.id)
    flags = content[32]
    if not flags & USER_PRESENT:
        raise BadInputError("authenticator_data", "nobody was present", "user presence")
    if not flags & USER_VERIFIED:
        raise BadInputError("authenticator_data", "nobody was verified", "user verification")
    if flags & ~(USER_PRESENT | USER_VERIFIED | _BACKUP_ELIGIBLE | _BACKED_UP):
        raise BadInputError("authenticator_data", f"flags {flags:#04x}", "no other flags")
    if flags & _BACKED_UP and not flags & _BACKUP_ELIGIBLE:
        raise BadInputError("authenticator_data", "backed up but not eligible", "one or both")
    return int.from_bytes(content[33:37])


def encode_assertion(assertion: PasskeyAssertion) -> bytes:
    """The assertion as it is kept: deterministic CBOR of its three pieces in order."""
    return cbor.encode([assertion.authenticator_data, assertion.client_data, assertion.signature])


def decode_assertion(content: bytes) -> PasskeyAssertion:
    """Reads `encode_assertion`'s."""
    match cbor.decode(content, "signature"):
        case [bytes(authenticator_data), bytes(client_data), bytes(signature)]:
            return PasskeyAssertion(authenticator_data, client_data, signature)
    raise BadInputError("signature", "no assertion", "three byte strings")
