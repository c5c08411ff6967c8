"""The one encoding of an intent, and the digest that approvers sign.

Deterministic CBOR (RFC 8949 section 4.2) of `{"fields", "kind", "version"}`. Bytes that are not
exactly what `encode` would write are refused, so that a digest belongs to one meaning and back.
"""

import hashlib

from shared.approvals import fields as check
from shared.approvals.intents import KINDS, AnyIntent, IntentKind
from shared.errors import BadInputError
from shared.messages import cbor

VERSION = 1
MAX_INTENT = 64 * 1024
_DIGEST_DOMAIN = b"bes approvals: intent v1\x00"


def encode(intent: AnyIntent) -> bytes:
    """The intent's bytes; `BadInputError` when they would be more than `MAX_INTENT`."""
    content = cbor.encode(
        {"fields": intent.to_fields(), "kind": intent.kind.value, "version": VERSION}
    )
    if len(content) > MAX_INTENT:
        raise BadInputError("intent", f"{len(content)} bytes", f"at most {MAX_INTENT} bytes")
    return content


def decode(content: bytes) -> AnyIntent:
    """Reads an intent; `BadInputError` for an unknown kind, version or field, for a value out of
    bounds, and for any encoding but the one."""
    if len(content) > MAX_INTENT:
        raise BadInputError("intent", f"{len(content)} bytes", f"at most {MAX_INTENT} bytes")
    frame = cbor.expect_map(cbor.decode(content, "intent"), "intent")
    fields, kind, version = check.take(frame, "fields", "kind", "version")
    if version != VERSION or isinstance(version, bool):
        raise BadInputError("version", repr(version)[:60], str(VERSION))
    if not isinstance(kind, str) or kind not in set(IntentKind):
        raise BadInputError("kind", repr(kind)[:60], ", ".join(IntentKind))
    intent = KINDS[IntentKind(kind)].from_fields(cbor.expect_map(fields, "fields"))
    if encode(intent) != content:
        raise BadInputError("intent", "not in its canonical form", "deterministic CBOR")
    return intent


def digest_of(content: bytes) -> bytes:
    """SHA-256 of an intent's bytes, in a domain of its own."""
    return hashlib.sha256(_DIGEST_DOMAIN + content).digest()
