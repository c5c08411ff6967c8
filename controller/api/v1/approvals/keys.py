"""`/api/v1/approval-keys`: a person registers his own, somebody else confirms it."""

import json
from http import HTTPStatus
from typing import Annotated

import webauthn
from fastapi import APIRouter, Depends, Path
from sqlalchemy import Connection
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from controller.access.approvals import keys
from controller.access.approvals.attempts import attempt
from controller.access.permissions import COMPANY, Permission
from controller.api.context import ContextDep
from controller.api.guard import Needs, Permit
from controller.api.problems import documented, not_found
from controller.api.v1.approvals.requests import Confirmation, NewKey, NewPasskey
from controller.api.v1.approvals.responses import CeremonyOptions, Keys, KeyView
from controller.api.v1.approvals.routes import (
    ApprovalDecider,
    ApprovalReader,
    party_of,
    refusals_told,
)
from shared.approvals.exchange import from_base64, key_id_from_hex

router = APIRouter(prefix="/approval-keys", tags=["approvals"])

KeyConfirmer = Annotated[Permit, Depends(Needs(Permission.USERS_CHANGE))]
AccountOwner = Annotated[Permit, Depends(Needs(Permission.ACCOUNT_OWN))]
KeyNumber = Annotated[int, Path(ge=1, lt=2**63)]
_RP_NAME = "Bitcoin Enterprise Suite approvals"
_ALGORITHMS = [COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256]


@router.get("", summary="Approvers' keys, oldest first")
def list_keys(context: ContextDep, permit: ApprovalReader) -> Keys:
    """Everybody's keys, revoked ones too; one's own for whoever reads approvals of a site or wallet
    only."""
    caller = permit.caller
    everybody = caller.may(Permission.APPROVALS_READ, COMPANY)
    with context.storage.read() as conn:
        rows = keys.keys_of(conn, None if everybody else caller.user_id)
    return Keys(items=[KeyView.of(row, caller.user_id) for row in rows])


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(HTTPStatus.CONFLICT))
def create_key(context: ContextDep, permit: ApprovalDecider, new: NewKey) -> KeyView:
    """Registers an Ed25519 key of one's own; it counts once somebody else has confirmed it."""
    with refusals_told(), context.storage.write() as conn:
        key = keys.register_ed25519(
            conn,
            context.clock,
            _owner(permit),
            new.name,
            from_base64(new.public_key, "public_key", 8_192),
            from_base64(new.proof, "proof", 8_192),
        )
        return _shown(conn, permit, key)


@router.post("/passkey-options", responses=documented(HTTPStatus.CONFLICT))
def create_registration_options(context: ContextDep, permit: ApprovalDecider) -> CeremonyOptions:
    """What `navigator.credentials.create` takes to make a passkey for approvals."""
    party = party_of(context)
    owner = _owner(permit)
    with context.storage.write() as conn:
        challenge = keys.new_challenge(conn, context.clock, owner)
        known = [row for row in keys.keys_of(conn, owner.user_id) if row.credential_id]
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=_RP_NAME,
        user_name=owner.name,
        user_id=b"approvals" + owner.user_id.to_bytes(8, "big"),
        challenge=challenge,
        timeout=keys.CEREMONY_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        supported_pub_key_algs=_ALGORITHMS,
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=bytes(row.credential_id)) for row in known
        ],
    )
    return CeremonyOptions(public_key=json.loads(webauthn.options_to_json(options)))


@router.post("/passkeys", status_code=HTTPStatus.CREATED, responses=documented(HTTPStatus.CONFLICT))
def create_passkey(context: ContextDep, permit: ApprovalDecider, new: NewPasskey) -> KeyView:
    """Registers a passkey of one's own; it counts once somebody else has confirmed it."""
    party = party_of(context)

    def work(conn: Connection) -> KeyView:
        key = keys.register_passkey(
            conn, context.clock, _owner(permit), new.name, new.answer(), party
        )
        return _shown(conn, permit, key)

    with refusals_told():
        return attempt(context.storage, context.clock, permit.actor, work)


@router.post("/{key}/confirmation", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def create_confirmation(
    context: ContextDep, permit: KeyConfirmer, key: KeyNumber, confirmation: Confirmation
) -> KeyView:
    """Vouches that the key with this fingerprint is its owner's; never for one's own."""

    def work(conn: Connection) -> KeyView:
        key_id = key_id_from_hex(confirmation.key_id)
        keys.confirm(conn, context.clock, key, key_id, _owner(permit))
        return _shown(conn, permit, key)

    with refusals_told():
        return attempt(context.storage, context.clock, permit.actor, work)


@router.post("/{key}/revocation", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def create_revocation(context: ContextDep, permit: AccountOwner, key: KeyNumber) -> KeyView:
    """Revokes a key of one's own, or, with `users.change`, anybody's."""
    with refusals_told(), context.storage.write() as conn:
        row = keys.key_row(conn, key)
        own = row.user_id == permit.caller.user_id
        if not own and not permit.caller.may(Permission.USERS_CHANGE, COMPANY):
            raise not_found("approver's key", key)
        keys.revoke(conn, context.clock, key, permit.actor)
        return _shown(conn, permit, key)


def _owner(permit: Permit) -> keys.Owner:
    return keys.Owner(permit.caller.user_id, permit.caller.name, permit.actor)


def _shown(conn: Connection, permit: Permit, key: int) -> KeyView:
    return KeyView.of(keys.key_row(conn, key), permit.caller.user_id)
