"""Passkeys (WebAuthn level 3) as a second factor, on the library `webauthn`.

The relying party is the host name of the page's origin. User verification is required; a sign
counter that does not grow tells of a copied authenticator and is refused.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from sqlalchemy import Connection, Row, delete, insert, select, update
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from controller.access.factors import ISSUER
from controller.errors import ConflictError
from controller.storage.tables import passkeys

CEREMONY_MS = 120_000
_MOST_PASSKEYS = 10
_CHALLENGE_BYTES = 32
_NOT_GOOD = (  # what the library and its parsers raise at an answer that is none
    WebAuthnException,
    InvalidSignature,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The page as authenticators know it."""

    origin: str

    @property
    def id(self) -> str:
        """The host name of the origin."""
        return urlsplit(self.origin).hostname or ""


def new_challenge() -> bytes:
    """Random bytes for one ceremony."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def registration_options(
    conn: Connection, party: RelyingParty, user_id: int, name: str, challenge: bytes
) -> dict[str, Any]:
    """What `navigator.credentials.create` takes; `ConflictError` when there are too many."""
    known = _of_user(conn, user_id)
    if len(known) >= _MOST_PASSKEYS:
        raise ConflictError(f"an account has {_MOST_PASSKEYS} passkeys at the most")
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=ISSUER,
        user_name=name,
        user_id=user_id.to_bytes(8, "big"),
        challenge=challenge,
        timeout=CEREMONY_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=row.credential_id) for row in known],
    )
    return _plain(webauthn.options_to_json(options))


@dataclass(frozen=True, slots=True)
class Answered:
    """A browser's answer to a ceremony, and the challenge that it must be about."""

    credential: Mapping[str, Any]
    challenge: bytes


def register(
    conn: Connection,
    party: RelyingParty,
    user_id: int,
    name: str,
    answered: Answered,
    now_ms: int,
) -> int | None:
    """Keeps a new passkey and returns its id; None when the answer is not good."""
    try:
        verified = webauthn.verify_registration_response(
            credential=dict(answered.credential),
            expected_challenge=answered.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _NOT_GOOD:
        return None
    known = select(passkeys.c.id).where(passkeys.c.credential_id == verified.credential_id)
    if conn.scalar(known) is not None:
        return None
    passkey_id: int = conn.execute(
        insert(passkeys)
        .values(
            user_id=user_id,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name,
            created_real_ms=now_ms,
        )
        .returning(passkeys.c.id)
    ).scalar_one()
    return passkey_id


def assertion_options(
    conn: Connection, party: RelyingParty, user_id: int, challenge: bytes
) -> dict[str, Any]:
    """What `navigator.credentials.get` takes."""
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=CEREMONY_MS,
        allow_credentials=[
            PublicKeyCredentialDescriptor(id=row.credential_id) for row in _of_user(conn, user_id)
        ],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(webauthn.options_to_json(options))


def check_assertion(
    conn: Connection, party: RelyingParty, user_id: int, answered: Answered, now_ms: int
) -> bool:
    """Whether the answer is by one of the account's passkeys, over this challenge."""
    row = _named(conn, user_id, answered.credential)
    if row is None:
        return False
    try:
        verified = webauthn.verify_authentication_response(
            credential=dict(answered.credential),
            expected_challenge=answered.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except _NOT_GOOD:
        return False
    used = (
        update(passkeys)
        .where(passkeys.c.id == row.id, passkeys.c.sign_count == row.sign_count)
        .values(sign_count=verified.new_sign_count, used_real_ms=now_ms)
    )
    return conn.execute(used).rowcount == 1


def remove(conn: Connection, user_id: int, passkey_id: int) -> bool:
    """Forgets one; False when the account has no such."""
    removed = delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.user_id == user_id)
    return conn.execute(removed).rowcount == 1


def listed(conn: Connection, user_id: int) -> list[Row[Any]]:
    """An account's passkeys."""
    return _of_user(conn, user_id)


def _of_user(conn: Connection, user_id: int) -> list[Row[Any]]:
    query = select(passkeys).where(passkeys.c.user_id == user_id).order_by(passkeys.c.id)
    return list(conn.execute(query))


def _named(conn: Connection, user_id: int, credential: Mapping[str, Any]) -> Row[Any] | None:
    try:
        credential_id = webauthn.base64url_to_bytes(str(credential.get("id", "")))
    except ValueError:
        return None
    return next(
        (row for row in _of_user(conn, user_id) if bytes(row.credential_id) == credential_id), None
    )


def _plain(text: str) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(text)
    return options
