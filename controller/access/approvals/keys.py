"""Approvers' keys. A person registers his own; it counts once somebody else has confirmed it.

Whoever takes over a session can register a key in its owner's name, but not confirm it: the one who
confirms compares the fingerprint with what the owner reads to him from his own machine.
"""

import secrets
from dataclasses import dataclass
from typing import Any

import webauthn
from sqlalchemy import Connection, Row, delete, insert, select, update
from webauthn.helpers.exceptions import WebAuthnException

from controller.access.approvals.attempts import RefusedAttemptError
from controller.access.callers import UserKind
from controller.access.records import changed
from controller.clock import Clock
from controller.errors import ConflictError, MissingError
from controller.storage.tables import approval_challenges, approval_keys, users
from shared.approvals.fields import plain_text
from shared.approvals.keys import ApproverKey, KeyKind, key_id_of, prove_possession
from shared.approvals.passkey import RelyingParty
from shared.errors import BadInputError

CEREMONY_MS = 300_000
_MOST_KEYS = 20
_CHALLENGE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """The account that a key is registered for, by itself."""

    user_id: int
    name: str
    actor: str


@dataclass(frozen=True, slots=True)
class _NewKey:
    kind: KeyKind
    public_key: bytes
    name: str
    credential_id: bytes | None = None
    sign_count: int | None = None


def register_ed25519(
    conn: Connection, clock: Clock, owner: Owner, name: str, public_key: bytes, proof: bytes
) -> int:
    """Keeps a key whose holder proved it (`bes approve keygen` makes the proof); its id here."""
    prove_possession(owner.name, public_key, proof)
    return _keep(conn, clock, owner, _NewKey(KeyKind.ED25519, public_key, name))


def new_challenge(conn: Connection, clock: Clock, owner: Owner) -> bytes:
    """A challenge for a passkey to be registered, good once and for `CEREMONY_MS` of real time."""
    now_ms = clock.real_ms()
    conn.execute(delete(approval_challenges).where(approval_challenges.c.until_ms <= now_ms))
    conn.execute(delete(approval_challenges).where(approval_challenges.c.user_id == owner.user_id))
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    conn.execute(
        insert(approval_challenges).values(
            challenge=challenge, user_id=owner.user_id, until_ms=now_ms + CEREMONY_MS
        )
    )
    return challenge


def register_passkey(
    conn: Connection,
    clock: Clock,
    owner: Owner,
    name: str,
    credential: dict[str, Any],
    party: RelyingParty,
) -> int:
    """Keeps a passkey that answered the owner's challenge; its id here."""
    used = conn.execute(
        delete(approval_challenges)
        .where(approval_challenges.c.user_id == owner.user_id)
        .returning(approval_challenges.c.challenge, approval_challenges.c.until_ms)
    ).first()
    if used is None or used.until_ms <= clock.real_ms():
        raise RefusedAttemptError(owner.actor, "no challenge", "ask for a challenge first")
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=bytes(used.challenge),
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        text = "the passkey's answer is not good"
        raise RefusedAttemptError(owner.actor, "bad registration", text) from error
    return _keep(
        conn,
        clock,
        owner,
        _NewKey(
            KeyKind.PASSKEY,
            made.credential_public_key,
            name,
            made.credential_id,
            made.sign_count,
        ),
    )


def _keep(conn: Connection, clock: Clock, owner: Owner, new: _NewKey) -> int:
    plain_text(new.name, "name", 100)
    key_id = ApproverKey(owner.name, new.kind, new.public_key).key_id
    if len(keys_of(conn, owner.user_id)) >= _MOST_KEYS:
        raise ConflictError(f"an approver has {_MOST_KEYS} keys at the most")
    known = approval_keys.c.key_id == key_id
    if new.credential_id is not None:
        known |= approval_keys.c.credential_id == new.credential_id
    if conn.scalar(select(approval_keys.c.id).where(known)) is not None:
        raise ConflictError("this key is registered already, or was before")
    kept: int = conn.execute(
        insert(approval_keys)
        .values(
            user_id=owner.user_id,
            kind=new.kind.value,
            key_id=key_id,
            public_key=new.public_key,
            credential_id=new.credential_id,
            sign_count=new.sign_count,
            name=new.name,
            created_ms=clock.now_ms(),
        )
        .returning(approval_keys.c.id)
    ).scalar_one()
    changed(
        conn,
        clock,
        "approval_key.registered",
        owner.actor,
        owner.actor,
        key_id=key_id,
        key_kind=new.kind.value,
    )
    return kept


def confirm(conn: Connection, clock: Clock, key: int, key_id: bytes, by: Owner) -> None:
    """Somebody else vouches that the key with this fingerprint is its owner's."""
    row = key_row(conn, key)
    subject = f"user:{row.user_id}"
    if row.user_id == by.user_id:
        raise RefusedAttemptError(subject, "own key", "nobody confirms a key of his own")
    if bytes(row.key_id) != key_id:
        text = "the fingerprint is another key's"
        raise RefusedAttemptError(subject, "other fingerprint", text)
    if row.confirmed_ms is not None or row.revoked_ms is not None:
        raise ConflictError("the key is confirmed or revoked already")
    now_ms = clock.now_ms()
    _change(conn, row, confirmed_by=by.user_id, confirmed_ms=now_ms)
    changed(conn, clock, "approval_key.confirmed", by.actor, subject, key_id=key_id)


def revoke(conn: Connection, clock: Clock, key: int, actor: str) -> None:
    """From now on nothing that the key signed counts where it is not yet acted on."""
    row = key_row(conn, key)
    if row.revoked_ms is not None:
        raise ConflictError("the key is revoked already")
    _change(conn, row, revoked_ms=clock.now_ms())
    key_id = bytes(row.key_id)
    changed(conn, clock, "approval_key.revoked", actor, f"user:{row.user_id}", key_id=key_id)


def _change(conn: Connection, row: Row[Any], **values: Any) -> None:
    done = conn.execute(
        update(approval_keys)
        .where(approval_keys.c.id == row.id, approval_keys.c.version == row.version)
        .values(version=row.version + 1, **values)
    )
    if done.rowcount != 1:
        raise ConflictError("the key was changed by somebody else just now")


def key_row(conn: Connection, key: int) -> Row[Any]:
    """A key with its owner's name; `MissingError` when there is none."""
    row = conn.execute(_keys().where(approval_keys.c.id == key)).one_or_none()
    if row is None:
        raise MissingError("approver's key", key)
    return row


def keys_of(conn: Connection, user_id: int | None = None) -> list[Row[Any]]:
    """A person's keys, or everybody's, with the owners' names."""
    query = _keys().order_by(approval_keys.c.id)
    if user_id is not None:
        query = query.where(approval_keys.c.user_id == user_id)
    return list(conn.execute(query))


def _keys() -> Any:
    return select(
        approval_keys,
        users.c.name.label("person"),
        users.c.disabled_real_ms,
        users.c.kind.label("user_kind"),
    ).join(users, users.c.id == approval_keys.c.user_id)


def find_key(conn: Connection, key_id: bytes) -> Row[Any] | None:
    """The row of a key by its id on the wire."""
    found: Row[Any] | None = conn.execute(
        _keys().where(approval_keys.c.key_id == key_id)
    ).one_or_none()
    return found


def is_in_force(row: Row[Any]) -> bool:
    """Whether a key counts: confirmed by somebody else, not revoked, its owner a person whose
    account is not disabled."""
    return (
        row.confirmed_ms is not None
        and row.revoked_ms is None
        and row.disabled_real_ms is None
        and row.user_kind == UserKind.PERSON
    )


def approver_key(row: Row[Any]) -> ApproverKey:
    """The key as the judge takes it; `BadInputError` when the row was tampered with."""
    kind = KeyKind(row.kind)
    public_key = bytes(row.public_key)
    if key_id_of(kind, public_key) != bytes(row.key_id):
        raise BadInputError("key_id", "does not fit the kept key", "the key's own")
    return ApproverKey(row.person, kind, public_key, row.revoked_ms)
